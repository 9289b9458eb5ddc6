"""XLSX, read as the file stores it: no formula is evaluated, no link followed, no number passes through a float.

A number is what its stored digits say to 15 significant digits, as spreadsheets themselves show it: what was typed as
1054.1 may be stored as 1054.0999999999999. The first visible sheet is read.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import IO, BinaryIO
from xml.parsers import expat

from comp.core.sheets.sheet import CELL, COLUMNS, XLSX_BYTES, Refused, Row, Sheet, counted, header_of, row_of

#: Of the zip directory: entries, its own bytes; of what it unpacks to: one entry, all, and times the packed size.
ENTRIES, DIRECTORY, ENTRY_BYTES, ALL_BYTES, RATIO = 1000, 2**20, 200 * 2**20, 300 * 2**20, 200
#: Texts that cells share: so many, of so many characters together.
SHARED, SHARED_CHARACTERS = 500_000, 30_000_000
_CHUNK = 2**16
_DIGITS = Context(prec=15, rounding=ROUND_HALF_EVEN)
_CELL = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PLAIN_PART = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
#: Number formats of spreadsheets' own that show a day; others are told by their letters.
_DAYS = {*range(14, 18), 22, *range(27, 32), 34, 35, 36, *range(50, 59)}
_NOT_TAKEN = {
    "xl/vbaproject.bin": "It holds macros. Save it as XLSX without them.",
    "xl/externallinks/": "It refers to other workbooks. Copy the values and save it again.",
    "xl/workbook.bin": "It is a binary workbook (XLSB). Save it as XLSX.",
    "xl/activex/": "It holds active controls. Copy the table to a new workbook.",
    "xl/embeddings/": "It holds other files. Copy the table to a new workbook.",
}
_WORKBOOK = "xl/workbook.xml"


def read_xlsx(file: BinaryIO) -> Sheet:
    """The table of a seekable file. Raises Refused, also while its rows are read."""
    _judge_end(file)
    try:
        book = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise Refused("The file is no workbook: its directory cannot be read.") from error
    _judge(book, file)
    sheet, title, from_1904 = _workbook(book)
    reader = _Reader(_shared(book), _day_styles(book), from_1904)
    lines = _read(book, sheet, reader, reader.take)
    header: tuple[str, ...] = ()
    for line, cells, wrong in lines:
        if wrong:
            raise Refused(f"Line {line}, that should name the columns: {wrong}.")
        if any(cell.strip() for cell in cells):
            header = header_of(cells, line)
            break
    if not header:
        raise Refused(f"The sheet “{title}” is empty.")
    form = {"kind": "XLSX", "sheet": title, "dates": "since 1904" if from_1904 else "since 1900"}
    return Sheet(form, header, counted(_rows(lines, len(header))))


Line = tuple[int, list[str], str]


def _rows(lines: Iterator[Line], width: int) -> Iterator[Row | None]:
    last = 0
    for line, cells, error in lines:
        if line <= last:
            raise Refused(f"Row {line} stands behind row {last}: the workbook is damaged.")
        last = line
        padded = [*cells, *[""] * (width - len(cells))]
        if error:
            yield Row(line, tuple(text[:CELL] for text in padded[:width]), error)
        else:
            yield row_of(padded, line, width)


# ------------------------------------------------------------------ the directory, before anything is unpacked


def _judge_end(file: BinaryIO) -> None:
    """The directory's own size, by the record at the file's end."""
    size = file.seek(0, 2)
    if size > XLSX_BYTES:
        raise Refused(f"The workbook has {size:,} bytes; allowed are {XLSX_BYTES:,}. Save it as CSV, or in parts.")
    file.seek(max(0, size - 65_557))
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) - place < 22:
        raise Refused("The file is no workbook: the end of its directory is missing. Was it cut off?")
    _, disk, first, here, entries, directory, offset, _ = struct.unpack("<4s4H2LH", tail[place : place + 22])
    if entries > ENTRIES or directory > DIRECTORY:
        raise Refused(f"The workbook holds {entries:,} files; allowed are {ENTRIES:,}, named in {DIRECTORY:,} bytes.")
    if disk or first or here != entries or offset + directory > size:
        raise Refused("The file is no workbook: its directory does not fit it.")
    file.seek(0)


def _judge(book: zipfile.ZipFile, file: BinaryIO) -> None:
    size = file.seek(0, 2)
    entries = book.infolist()
    names = [entry.filename.lower() for entry in entries]
    if len(set(names)) < len(names):
        raise Refused("The workbook holds two files of one name: it is damaged.")
    for start, reason in _NOT_TAKEN.items():
        if any(name.startswith(start) for name in names):
            raise Refused(f"The workbook is not read. {reason}")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Refused("The workbook is encrypted. Save it without a password.")
    if any(name.startswith("/") or ".." in name.split("/") for name in names):
        raise Refused("The workbook names files outside of itself.")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise Refused("The workbook is packed in a way that spreadsheets do not use.")
    unpacked, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if packed > size:
        raise Refused("The workbook's files overlap: it is damaged, or made to be.")
    largest = max((entry.file_size for entry in entries), default=0)
    if largest > ENTRY_BYTES or unpacked > ALL_BYTES:
        raise Refused(f"The workbook unpacks to {unpacked:,} bytes; allowed are {ALL_BYTES:,}. Save it as CSV.")
    for entry in entries:
        if entry.file_size > RATIO * max(entry.compress_size, 1024):
            raise Refused(f"{entry.filename[:80]} unpacks to more than {RATIO} times its size.")
    if _WORKBOOK not in names:
        raise Refused("The file is a zip archive, but no workbook: xl/workbook.xml is missing.")


# ------------------------------------------------------------------ XML

#: Called at the start of an element (its name without namespace, its attributes), at its end with its own text.
Start = Callable[[str, dict[str, str]], None]
End = Callable[[str, str], None]


class _Parts:
    """Hears a document's elements."""

    keeps: frozenset[str] = frozenset()  # whose text is wanted

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str, text: str) -> None: ...


def _parse(stream: IO[bytes], heard: _Parts, where: str) -> Iterator[None]:
    """Feeds a document to `heard`, piece by piece. No document types: they could define entities without end."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    text: list[str] = []
    keeping = [0]

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local in heard.keeps:
            text.clear()
            keeping[0] = 0
        heard.start(local, attributes)

    def end(name: str) -> None:
        local = name.rpartition(" ")[2]
        heard.end(local, "".join(text) if local in heard.keeps else "")
        text.clear()

    def characters(data: str) -> None:
        keeping[0] += len(data)
        if keeping[0] <= CELL * 2:
            text.append(data)

    def doctype(*_: object) -> None:
        raise Refused(f"{where} defines a document type; workbooks have none.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk, False)
            yield
        parser.Parse(b"", True)
        yield
    except (expat.ExpatError, zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        raise Refused(f"{where} cannot be read: {error}.") from error
    except Exception as error:
        if type(error).__module__ == "zlib":
            raise Refused(f"{where} cannot be unpacked: {error}.") from error
        raise


def _open(book: zipfile.ZipFile, name: str) -> IO[bytes] | None:
    found = next((entry for entry in book.infolist() if entry.filename.lower() == name.lower()), None)
    try:
        return book.open(found) if found else None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise Refused(f"{name[:80]} cannot be unpacked: {error}.") from error


def _all(book: zipfile.ZipFile, name: str, heard: _Parts) -> bool:
    """Reads a whole part; False where the workbook has none of that name."""
    stream = _open(book, name)
    if stream is None:
        return False
    for _ in _parse(stream, heard, name):
        pass
    return True


def _read(book: zipfile.ZipFile, name: str, heard: _Parts, take: Callable[[], list[Line]]) -> Iterator[Line]:
    stream = _open(book, name)
    if stream is None:
        raise Refused(f"The workbook names the sheet {name[:80]}, and does not hold it.")
    for _ in _parse(stream, heard, name):
        yield from take()


# ------------------------------------------------------------------ what stands around the sheet


class _Workbook(_Parts):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.from_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "workbookPr":
            self.from_1904 = attributes.get("date1904", "") in ("1", "true", "on")
        elif name == "sheet":
            rid = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            visible = attributes.get("state", "visible") == "visible"
            self.sheets.append((attributes.get("name", "")[:200], rid, visible))


class _Relations(_Parts):
    def __init__(self) -> None:
        self.targets: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode", "") != "External":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")


def _workbook(book: zipfile.ZipFile) -> tuple[str, str, bool]:
    """The part of the first visible sheet, its title, and whether days count from 1904."""
    heard, relations = _Workbook(), _Relations()
    _all(book, _WORKBOOK, heard)
    _all(book, "xl/_rels/workbook.xml.rels", relations)
    for title, rid, visible in heard.sheets:
        target = relations.targets.get(rid, "")
        if visible and target:
            part = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
            return part, title, heard.from_1904
    raise Refused("The workbook has no visible sheet.")


class _Shared(_Parts):
    keeps = frozenset({"t"})

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.now: list[str] = []
        self.characters, self.phonetic = 0, False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "rPh":
            self.phonetic = True

    def end(self, name: str, text: str) -> None:
        if name == "rPh":
            self.phonetic = False
        elif name == "t" and not self.phonetic:
            self.now.append(text)
        elif name == "si":
            whole = _unescaped("".join(self.now))
            self.now = []
            self.characters += len(whole)
            self.texts.append(whole)
            if len(self.texts) > SHARED or self.characters > SHARED_CHARACTERS:
                raise Refused(f"The workbook has more than {SHARED:,} different texts, or too long ones. Save as CSV.")


def _shared(book: zipfile.ZipFile) -> list[str]:
    heard = _Shared()
    _all(book, "xl/sharedStrings.xml", heard)
    return heard.texts


class _Styles(_Parts):
    def __init__(self) -> None:
        self.days, self.styles, self.inside = set(_DAYS), list[bool](), False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            code = _PLAIN_PART.sub("", attributes.get("formatCode", "")[:1000].split(";")[0]).lower()
            if "y" in code or "d" in code:
                self.days.add(_number(attributes.get("numFmtId")))
            else:
                self.days.discard(_number(attributes.get("numFmtId")))
        elif name == "cellXfs":
            self.inside = True
        elif name == "xf" and self.inside:
            self.styles.append(_number(attributes.get("numFmtId")) in self.days)

    def end(self, name: str, text: str) -> None:
        if name == "cellXfs":
            self.inside = False


def _day_styles(book: zipfile.ZipFile) -> list[bool]:
    """Of each style, whether it shows a number as a day."""
    heard = _Styles()
    _all(book, "xl/styles.xml", heard)
    return heard.styles


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else -1


# ------------------------------------------------------------------ the sheet


class _Reader(_Parts):
    """Hears the cells of a sheet, and gives its rows."""

    keeps = frozenset({"v", "t"})

    def __init__(self, shared: list[str], days: list[bool], from_1904: bool) -> None:
        self.shared, self.days, self.from_1904 = shared, days, from_1904
        self.done: list[Line] = []
        self.line, self.cells, self.error = 0, list[str](), ""
        self.column, self.kind, self.style = -1, "n", 0
        self.value: str | None = None
        self.texts: list[str] = []
        self.formula = self.phonetic = False

    def take(self) -> list[Line]:
        done, self.done = self.done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            match = _CELL.fullmatch(attributes.get("r", ""))
            self.column = _column(match[1]) if match else self.column + 1
            self.kind, self.style = attributes.get("t", "n"), _number(attributes.get("s", "0"))
            self.value, self.texts, self.formula = None, [], False
        elif name == "f":
            self.formula = True
        elif name == "row":
            stated = _number(attributes.get("r"))
            self.line = stated if stated > 0 else self.line + 1
            self.cells, self.error, self.column = [], "", -1
        elif name == "rPh":
            self.phonetic = True

    def end(self, name: str, text: str) -> None:
        if name == "v":
            self.value = text
        elif name == "t":
            if not self.phonetic:
                self.texts.append(text)
        elif name == "c":
            self._cell()
        elif name == "row":
            self.done.append((self.line, self.cells, self.error))
        elif name == "rPh":
            self.phonetic = False

    def _cell(self) -> None:
        if self.value is None and not self.texts:
            if self.formula:
                self._wrong("a formula without a stored value: open and save the file in a spreadsheet program")
            return
        try:
            text = self._text()
        except _Wrong as error:
            text = (self.value or "")[:100]
            self._wrong(str(error))
        if self.column >= COLUMNS:
            if text:
                self._wrong(f"a value to the right of column {COLUMNS}")
            return
        while len(self.cells) <= self.column:
            self.cells.append("")
        self.cells[self.column] = text

    def _wrong(self, reason: str) -> None:
        self.error = self.error or f"column {self.column + 1}: {reason}"

    def _text(self) -> str:
        value = self.value or ""
        match self.kind:
            case "s":
                place = _number(value)
                if not 0 <= place < len(self.shared):
                    raise _Wrong("a text that the workbook does not hold")
                return self.shared[place]
            case "inlineStr":
                return _unescaped("".join(self.texts))
            case "str" | "d":
                return _unescaped(value)
            case "b":
                return "true" if value == "1" else "false"
            case "e":
                raise _Wrong(f"the error {value[:20]}")
        exact = _exact(value)
        if 0 <= self.style < len(self.days) and self.days[self.style]:
            return _day(exact, self.from_1904)
        return _plain(exact)


class _Wrong(Exception):
    """A cell that cannot be read."""


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _exact(value: str) -> Decimal:
    text = value.strip()
    try:
        number = Decimal(text) if len(text) <= 40 else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not -30 <= number.adjusted() <= 30:
        raise _Wrong(f"{text[:40]!r} where a number should stand")
    return _DIGITS.plus(number)


def _plain(number: Decimal) -> str:
    """Plain digits, without zeros that mean nothing."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _day(number: Decimal, from_1904: bool) -> str:
    """The day of a serial number, `2026-11-30`; with its time where it has one. The 29 February 1900 that spreadsheets
    count never was."""
    whole = int(number)
    seconds = int(((number - whole) * 86400).to_integral_value(ROUND_HALF_EVEN))
    if seconds == 86400:
        whole, seconds = whole + 1, 0
    if not 0 < whole <= 2_958_465 or (whole == 60 and not from_1904):
        raise _Wrong(f"{_plain(number)} where a day should stand")
    start = date(1904, 1, 1) if from_1904 else date(1899, 12, 31 if whole < 60 else 30)
    try:
        day = (start + timedelta(days=whole)).isoformat()
    except OverflowError as error:
        raise _Wrong(f"{_plain(number)} where a day should stand") from error
    return day if not seconds else f"{day}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _unescaped(text: str) -> str:
    """`_x000D_` is how workbooks write signs that XML cannot hold."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
