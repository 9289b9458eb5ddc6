"""Workbooks made by hand, so that each can be wrong in exactly one way."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
WORKBOOK = (
    f'{HEAD}<workbook xmlns="{NAMESPACE}" xmlns:r="{RELATIONS}"><workbookPr/>'
    '<sheets><sheet name="Deals" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
LINKS = (
    f'{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
)
STYLES = (
    f'{HEAD}<styleSheet xmlns="{NAMESPACE}"><numFmts count="1"><numFmt numFmtId="164" formatCode="dd\\.mm\\.yyyy"/>'
    '</numFmts><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>'
)


def text(value: str) -> str:
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def sheet(*rows: str) -> str:
    inner = "".join(f'<row r="{place}">{row}</row>' for place, row in enumerate(rows, 1))
    return f'{HEAD}<worksheet xmlns="{NAMESPACE}"><sheetData>{inner}</sheetData></worksheet>'


def parts(*rows: str, **others: str | bytes) -> dict[str, str | bytes]:
    """The parts of a small workbook; `others` by name stand in place of its own (`workbook`, `links`, `styles`,
    `sheet`, `shared`)."""
    return {
        "xl/workbook.xml": others.get("workbook", WORKBOOK),
        "xl/_rels/workbook.xml.rels": others.get("links", LINKS),
        "xl/styles.xml": others.get("styles", STYLES),
        "xl/worksheets/sheet1.xml": others.get("sheet", sheet(text("Id") + text("Amount"), *rows)),
        **({"xl/sharedStrings.xml": others["shared"]} if "shared" in others else {}),
    }


def packed(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as book:
        for name, content in files.items():
            book.writestr(name, content)
    return out.getvalue()
