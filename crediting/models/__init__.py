"""What happened, and whose it is."""

from crediting.models.alignments import Alignment, AlignmentRule
from crediting.models.credits import Credit, WaitingCredit
from crediting.models.facts import (
    Account,
    Deal,
    DealRevision,
    DealTeam,
    Fact,
    FactRevision,
    FactTeam,
    Product,
)
from crediting.models.intake import (
    DataIssue,
    EndpointSecret,
    FieldMapping,
    HookEndpoint,
    RawDelivery,
    Rereading,
    SourceLink,
    SourceMapping,
    SourceRecord,
)
from crediting.models.people import PersonRevision
from crediting.models.uploads import Upload, UploadPart

__all__ = [
    "Account",
    "Alignment",
    "AlignmentRule",
    "Credit",
    "DataIssue",
    "Deal",
    "DealRevision",
    "DealTeam",
    "EndpointSecret",
    "Fact",
    "FactRevision",
    "FactTeam",
    "FieldMapping",
    "HookEndpoint",
    "PersonRevision",
    "Product",
    "RawDelivery",
    "Rereading",
    "SourceLink",
    "SourceMapping",
    "SourceRecord",
    "Upload",
    "UploadPart",
    "WaitingCredit",
]
