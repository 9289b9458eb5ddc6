"""What happened, and whose it is."""

from crediting.models.credits import Credit
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
from crediting.models.intake import DataIssue, EndpointSecret, HookEndpoint, RawDelivery, SourceMapping

__all__ = [
    "Account",
    "Credit",
    "DataIssue",
    "Deal",
    "DealRevision",
    "DealTeam",
    "EndpointSecret",
    "Fact",
    "FactRevision",
    "FactTeam",
    "HookEndpoint",
    "Product",
    "RawDelivery",
    "SourceMapping",
]
