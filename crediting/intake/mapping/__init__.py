"""The field mapping: how a source's records become Comp's events. Pure, and the same for every source and for files.
See docs/sources/mapping.md."""

from crediting.intake.mapping.apply import Record as Record
from crediting.intake.mapping.apply import apply as apply
from crediting.intake.mapping.apply import owners_of as owners_of
from crediting.intake.mapping.apply import parts_of as parts_of
from crediting.intake.mapping.apply import told as told
from crediting.intake.mapping.check import FORMAT as FORMAT
from crediting.intake.mapping.check import check as check
from crediting.intake.mapping.check import read_mapping as read_mapping
from crediting.intake.mapping.targets import EVENTS as EVENTS
