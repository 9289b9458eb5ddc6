"""CSV as spreadsheets and databases write it: its encoding and the sign between its cells are found out and told."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from comp.core.sheets.sheet import CELL, Refused, Row, Sheet, counted, header_of, row_of

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_CHUNK = 2**20


def read_csv(file: BinaryIO) -> Sheet:
    """The table of a seekable file. Raises Refused, also while its rows are read."""
    codec, encoding = _encoding(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=codec, newline="")
    delimiter = _delimiter(text)
    text.seek(0)
    csv.field_size_limit(CELL * 10)
    lines = _lines(csv.reader(text, delimiter=delimiter, strict=True))
    header: tuple[str, ...] = ()
    for line, cells in lines:
        if any(cell.strip() for cell in cells):
            header = header_of(cells, line)
            break
    if not header:
        raise Refused("The file is empty.")
    form = {"kind": "CSV", "encoding": encoding, "delimiter": DELIMITERS[delimiter]}
    return Sheet(form, header, counted(_rows(lines, len(header))))


def _rows(lines: Iterator[tuple[int, list[str]]], width: int) -> Iterator[Row | None]:
    for line, cells in lines:
        yield row_of(cells, line, width)


def _lines(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line that it starts on."""
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Refused(f"Line {line} cannot be read: {error}. Is a quotation mark left open there?") from error
        except UnicodeError as error:
            raise Refused(f"Behind line {line} stands what is no text of the file's encoding.") from error
        yield line, cells
        line = reader.line_num + 1  # type: ignore[attr-defined]


def _encoding(file: BinaryIO) -> tuple[str, str]:
    """The codec, and what it is called: by the mark at the start; else UTF-8 where all of it is, else Latin-1."""
    start = file.read(4)
    for mark, codec, name in _MARKS:
        if start.startswith(mark):
            return codec, name
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8 = True
    while chunk := file.read(_CHUNK):
        if b"\0" in chunk:
            raise Refused("The file is no text: it holds NUL bytes. Save it as CSV in UTF-8, or as XLSX.")
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            is_utf8 = False
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        is_utf8 = False
    return ("utf-8", "UTF-8") if is_utf8 else ("cp1252", "Latin-1 (Windows-1252)")


def _delimiter(text: io.TextIOWrapper) -> str:
    """The sign that stands most often in the first line that holds anything, outside of quotation marks."""
    try:
        head = text.read(64 * 1024)
    except UnicodeError as error:
        raise Refused("The file holds what is no text of its encoding.") from error
    line = next((one for one in head.splitlines() if one.strip()), "")
    bare = "".join(part for place, part in enumerate(line.split('"')) if place % 2 == 0)
    return max(DELIMITERS, key=lambda sign: bare.count(sign))
