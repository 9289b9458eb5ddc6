"""Reads one file from its standard input and writes its rows as JSON lines: a process of its own, with limits that it
sets itself before it looks at a byte. It is given no secrets, and opens nothing else."""

from __future__ import annotations

import json
import resource
import sys
from itertools import islice
from typing import Any

#: Address space in bytes; seconds of the processor, by the file's kind.
MEMORY = 300 * 2**20
SECONDS = {"xlsx": 10, "csv": 30}
#: Rows written at a time.
PART = 500


def main(kind: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS[kind], SECONDS[kind]))
    from comp.core.sheets.csv_rows import read_csv
    from comp.core.sheets.sheet import Refused
    from comp.core.sheets.xlsx import read_xlsx

    file: Any = sys.stdin.buffer
    file.seek(0)  # the descriptor is shared with whoever looked into the file before
    try:
        sheet = (read_xlsx if kind == "xlsx" else read_csv)(file)
        _say({"form": sheet.form, "header": sheet.header})
        while part := list(islice(sheet.rows, PART)):
            _say(part)
        _say({"end": True})
    except Refused as refused:
        _say({"refused": str(refused)})
    except (MemoryError, RecursionError):
        _say({"refused": "Reading the file takes more memory than a file may. Upload it in parts."})


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what, ensure_ascii=True))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
