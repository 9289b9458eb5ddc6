"""Tables that people upload: CSV and XLSX, read as text and nothing else. See docs/uploads.md for what is read how."""

from comp.core.sheets.reading import open_sheet as open_sheet
from comp.core.sheets.sheet import CSV_BYTES as CSV_BYTES
from comp.core.sheets.sheet import XLSX_BYTES as XLSX_BYTES
from comp.core.sheets.sheet import Refused as Refused
from comp.core.sheets.sheet import Row as Row
from comp.core.sheets.sheet import Sheet as Sheet
