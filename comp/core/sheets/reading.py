"""Opening an uploaded file: in a process of its own, so that no file can take a server's memory or time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from comp.core.sheets.child import SECONDS
from comp.core.sheets.sheet import CSV_BYTES, XLSX_BYTES, Refused, Row, Sheet

_ROOT = Path(__file__).resolve().parents[3]
#: The child is ended after so many times its seconds of the processor: it may have to wait for one.
_PATIENCE = 4


def open_sheet(file: BinaryIO) -> Sheet:
    """The table in a real file (one with a descriptor), whatever its name says. Raises Refused, also while its rows
    are read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    kind = _kind(file.read(8), size)
    file.seek(0)
    child = subprocess.Popen(
        [sys.executable, "-m", "comp.core.sheets.child", kind],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "ascii"},
    )
    assert child.stdout is not None
    said = _said(child, child.stdout, kind)
    head = next(said)
    return Sheet(head["form"], tuple(head["header"]), _rows(said))


def _rows(said: Iterator[Any]) -> Iterator[Row]:
    for part in said:
        for line, cells, error in part:
            yield Row(line, tuple(cells), error)


def _said(child: subprocess.Popen[bytes], out: IO[bytes], kind: str) -> Iterator[Any]:
    """What the child says until its end; Refused where it says so, or ends without a word."""
    limit = threading.Timer(SECONDS[kind] * _PATIENCE, child.kill)
    limit.start()
    try:
        for line in out:
            what = json.loads(line)
            if isinstance(what, dict):
                if "refused" in what:
                    raise Refused(what["refused"])
                if "end" in what:
                    return
            yield what
        raise Refused(f"Reading the file takes more than {SECONDS[kind]} seconds. Upload it in parts, or as CSV.")
    except ValueError as error:  # cut off in the middle of a line
        raise Refused(f"Reading the file takes more than {SECONDS[kind]} seconds.") from error
    finally:
        limit.cancel()
        child.kill()
        child.wait()
        out.close()


def _kind(start: bytes, size: int) -> str:
    if not size:
        raise Refused("The file is empty.")
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused("The file is an old workbook (XLS), or one with a password. Save it as XLSX or CSV.")
    if start.startswith(b"%PDF"):
        raise Refused("The file is a PDF. Save the table as XLSX or CSV.")
    if start.startswith(b"PK"):
        return "xlsx"  # its size is judged with its directory
    if size > CSV_BYTES:
        raise Refused(f"The file has {size:,} bytes; allowed are {CSV_BYTES:,} for CSV, {XLSX_BYTES:,} for XLSX.")
    return "csv"
