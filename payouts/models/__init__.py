"""What credit earns, what is payable, who agreed, what was paid."""

from payouts.models.batches import Batch, BatchLine
from payouts.models.figures import (
    Alert,
    Attainment,
    Cause,
    ChangedScope,
    Earning,
    FigureChange,
    Payable,
    RecomputeJob,
    Schedule,
    Statement,
    Tranche,
)
from payouts.models.ledger import LedgerEntry, LedgerTransaction

__all__ = [
    "Alert",
    "Attainment",
    "Batch",
    "BatchLine",
    "Cause",
    "ChangedScope",
    "Earning",
    "FigureChange",
    "LedgerEntry",
    "LedgerTransaction",
    "Payable",
    "RecomputeJob",
    "Schedule",
    "Statement",
    "Tranche",
]
