"""Sixty files made to break a reader: each is refused with a reason, in bounded time and memory."""

from __future__ import annotations

import io
import random
import resource
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable

import pytest

from comp.core.sheets import Refused
from comp.core.sheets.child import MEMORY
from tests.unit.core.test_sheets_are_read_as_they_say import opened, text
from tests.unit.core.workbooks import HEAD, LINKS, NAMESPACE, WORKBOOK, packed, parts, sheet

SECONDS = 10
#: Reads, and then asks for as much as it may have in all.
PROBE = "child.main('csv'); bytearray(child.MEMORY)"
GOOD = packed(parts(text("a") + "<c><v>1</v></c>"))


def with_part(name: str, content: str | bytes = b"x") -> bytes:
    return packed({**parts(), name: content})


def laughs(levels: int = 12) -> str:
    """Entities of entities: a billion texts in a few lines."""

    def of(level: int) -> str:
        return f"&l{level};" * 10

    entities = "".join(f"<!ENTITY l{n} '{of(n - 1)}'>" for n in range(1, levels))
    return f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]>'


def attributes(number: int) -> str:
    return " ".join(f"a{n}='1'" for n in range(number))


def doctype(declared: str, body: str = "<row><c><v>1</v></c></row>") -> bytes:
    found = f'<?xml version="1.0"?>{declared}<worksheet xmlns="{NAMESPACE}"><sheetData>{body}</sheetData></worksheet>'
    return packed(parts(sheet=found))


def bomb(mebibytes: int) -> bytes:
    """As the workbook of 146 KB that cost 12 s and 697 MB: one row again and again."""
    row = text("x" * 200) + text("y")
    return packed(parts(sheet=sheet(*[row] * (mebibytes * 2**20 // (len(row) + 20)))))


def patched(content: bytes, offset_from_end: int, form: str, value: int) -> bytes:
    place = content.rfind(b"PK\5\6") + offset_from_end
    return content[:place] + struct.pack(form, value) + content[place + struct.calcsize(form) :]


def encrypted() -> bytes:
    place = GOOD.find(b"PK\1\2") + 8
    return GOOD[:place] + b"\1\0" + GOOD[place + 2 :]


def overlapping() -> bytes:
    """Fifteen names for the same packed bytes: the directory claims more than the file holds."""
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out) as book:
        entries = book.infolist()
    large = max(entries, key=lambda entry: entry.compress_size)
    with zipfile.ZipFile(out, "a") as book:
        for place in range(40):
            twin = zipfile.ZipInfo(f"xl/twin{place}.xml")
            twin.header_offset, twin.CRC = large.header_offset, large.CRC
            twin.file_size, twin.compress_size = large.file_size, large.compress_size
            twin.compress_type = large.compress_type
            book.filelist.append(twin)
            book.NameToInfo[twin.filename] = twin
        book._didModify = True  # type: ignore[attr-defined]
    return out.getvalue()


def many_entries(number: int) -> bytes:
    return packed({**parts(), **{f"xl/media/{place}.png": b"" for place in range(number)}})


def twice() -> bytes:
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as book:
        book.writestr("XL/WORKBOOK.XML", WORKBOOK)
    return out.getvalue()


def noise(start: bytes, size: int = 20_000) -> bytes:
    return start + random.Random(4).randbytes(size)


def damaged(seed: int) -> bytes:
    """Compressed bytes with some of them changed."""
    place = GOOD.find(b"PK\3\4", GOOD.find(b"sheet1.xml") - 200)
    found = bytearray(packed(parts(*[text(f"a{n}") + f"<c><v>{n}</v></c>" for n in range(2000)])))
    rng = random.Random(seed)
    start = found.find(b"sheet1.xml") + 20
    for _ in range(40):
        found[rng.randrange(start, len(found) - 400)] ^= 1 << rng.randrange(8)
    return bytes(found[: max(place, len(found))])


XML = {
    "laughs": lambda: doctype(laughs(), "<row><c t='inlineStr'><is><t>&l11;</t></is></c></row>"),
    "quadratic blow-up": lambda: doctype(f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>', "&a;" * 5000),
    "outer entity": lambda: doctype('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "<row>&a;</row>"),
    "outer entity of the net": lambda: doctype('<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:1/">]>'),
    "outer document type": lambda: doctype('<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">'),
    "parameter entity": lambda: doctype('<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>'),
    "laughs in shared texts": lambda: packed(parts(shared=f"{laughs()}<sst><si><t>&l11;</t></si></sst>")),
    "laughs in the workbook": lambda: packed(parts(workbook=f"{laughs()}<workbook>&l11;</workbook>")),
    "laughs in styles": lambda: packed(parts(styles=f"{laughs()}<styleSheet>&l11;</styleSheet>")),
    "laughs in relations": lambda: packed(parts(links=f"{laughs()}<Relationships>&l11;</Relationships>")),
    "unknown entity": lambda: packed(parts(sheet=f"{HEAD}<worksheet><sheetData>&x;</sheetData></worksheet>")),
    "not ended": lambda: packed(parts(sheet=sheet(text("a"))[:-20])),
    "no XML": lambda: packed(parts(sheet="id,amount\n1,2")),
    "nothing": lambda: packed(parts(sheet="")),
    "NUL in XML": lambda: packed(parts(sheet=sheet(text("a\0b")))),
    "unknown encoding": lambda: packed(parts(sheet='<?xml version="1.0" encoding="x-none"?><worksheet/>')),
    "tags without end": lambda: packed(parts(sheet=f"{HEAD}<worksheet>" + "<a>" * 200_000)),
    "attributes without end": lambda: packed(parts(sheet=f"{HEAD}<worksheet {attributes(300_000)}><sheetData>")),
    "rows that go back": lambda: packed(
        parts(sheet=f"{HEAD}<worksheet><sheetData><row r='2'>{text('a')}</row>" + f"<row r='1'>{text('b')}</row>" * 2
              + "</sheetData></worksheet>")),
}  # fmt: skip
ZIP = {
    "too many entries": lambda: many_entries(1200),
    "entries claimed": lambda: patched(GOOD, 10, "<H", 65_000),
    "directory claimed": lambda: patched(GOOD, 12, "<L", 2**31),
    "directory beyond the end": lambda: patched(GOOD, 16, "<L", 2**30),
    "zip64 marks": lambda: patched(patched(GOOD, 16, "<L", 2**32 - 1), 10, "<H", 65_535),
    "other disk": lambda: patched(GOOD, 4, "<H", 3),
    "cut off": lambda: GOOD[:-30],
    "half": lambda: GOOD[: len(GOOD) // 2],
    "head alone": lambda: GOOD[:10],
    "noise behind the mark": lambda: noise(b"PK\3\4"),
    "noise with an end": lambda: noise(b"PK\3\4") + b"PK\5\6" + bytes(18),
    "encrypted": encrypted,
    "overlapping": overlapping,
    "two of one name": twice,
    "bzip2": lambda: packed(parts(), zipfile.ZIP_BZIP2),
    "lzma": lambda: packed(parts(), zipfile.ZIP_LZMA),
    "climbing": lambda: with_part("../../etc/cron.d/x"),
    "absolute": lambda: with_part("/etc/passwd"),
    "zeros": lambda: packed(parts(sheet=b"\0" * (150 * 2**20))),
    "zeros beside": lambda: with_part("xl/media/image1.png", b"\0" * (100 * 2**20)),
    "all too large": lambda: packed({**parts(), **{f"xl/media/{n}": b"\0" * (80 * 2**20) for n in range(4)}}),
    "one row again and again": lambda: bomb(60),
    "no workbook": lambda: packed({"word/document.xml": "<w/>"}),
    "a jar": lambda: packed({"META-INF/MANIFEST.MF": "x", "A.class": b"\xca\xfe\xba\xbe"}),
}
BOOK = {
    "macros": lambda: with_part("xl/vbaProject.bin"),
    "links": lambda: with_part("xl/externalLinks/externalLink1.xml", "<externalLink/>"),
    "controls": lambda: with_part("xl/activeX/activeX1.xml", "<x/>"),
    "other files": lambda: with_part("xl/embeddings/oleObject1.bin"),
    "binary": lambda: with_part("xl/workbook.bin"),
    "no visible sheet": lambda: packed(parts(workbook=WORKBOOK.replace("<sheet ", '<sheet state="veryHidden" '))),
    "a sheet from outside": lambda: packed(
        parts(links=LINKS.replace("Target=", 'TargetMode="External" Target="http://127.0.0.1:1/'))
    ),
    "a sheet that is not there": lambda: packed(parts(links=LINKS.replace("sheet1.xml", "sheet9.xml"))),
    "no relations": lambda: packed(parts(links="<Relationships/>")),
    "empty sheet": lambda: packed(parts(sheet=sheet())),
    "header with an error": lambda: packed(parts(sheet=sheet('<c t="e"><v>#N/A</v></c>'))),
    "header of one name": lambda: packed(parts(sheet=sheet(text("a") + text("A")))),
    "texts without end": lambda: packed(
        parts(shared="<sst>" + "".join(f"<si><t>{n}</t></si>" for n in range(600_000)) + "</sst>")
    ),
}
TEXT = {
    "empty": lambda: b"",
    "spaces": lambda: b" \n \n\n",
    "old workbook": lambda: noise(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    "PDF": lambda: noise(b"%PDF-1.7\n"),
    "program": lambda: noise(b"\x7fELF\0\0"),
    "picture": lambda: noise(b"\x89PNG\r\n\x1a\n\0"),
    "UTF-16 without its mark": lambda: "id,amount\n1,2\n".encode("utf-16-le"),
    "half of a UTF-16 sign": lambda: "id,amount\n1,2\n".encode("utf-16") + b"a",
    "quotation mark left open": lambda: b'id,amount\n1,"' + b"x,y\n" * 200_000,
    "quotation mark inside": lambda: b'id,amount\n1,"a"b\n',
    "columns without end": lambda: b"a," * 100_000,
    "a line without end": lambda: b"a" * (50 * 2**20),
    "quotation marks without end": lambda: b'"' * (20 * 2**20),
    "two names": lambda: b"a,b,a\n",
    "name with a control sign": lambda: b"a\x1b[31m,b\n",
    "rows without end": lambda: b"a\n" + b"1\n" * 1_000_001,
}
FILES: dict[str, Callable[[], bytes]] = {
    **XML, **ZIP, **BOOK, **TEXT, **{f"damaged {n}": lambda n=n: damaged(n) for n in range(6)}
}  # fmt: skip


def spent() -> float:
    """Seconds of the processor, this process's and its children's: what else the machine does is not the file's."""
    ours, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + theirs.ru_utime + theirs.ru_stime


def test_there_are_sixty() -> None:
    assert len(FILES) >= 60


@pytest.mark.parametrize("name", FILES)
def test_refused_with_a_reason(name: str) -> None:
    content = FILES[name]()
    start = spent()
    with pytest.raises(Refused) as refused:
        for _ in opened(content).rows:
            pass
    taken = spent() - start
    assert str(refused.value).endswith((".", "?")) and len(str(refused.value)) > 10
    assert taken <= SECONDS, f"{taken:.1f} s"


def test_the_reader_cannot_take_more_memory() -> None:
    """The limit is of the address space: nothing that the process holds is left out of it."""
    assert MEMORY <= 300 * 2**20
    code = f"from comp.core.sheets import child; {PROBE}"
    with tempfile.TemporaryFile() as file:
        file.write(b"a\n1\n")
        file.seek(0)
        done = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, check=False, timeout=60)
    assert b"MemoryError" in done.stderr
