"""What credit earns, what is payable, who agreed, what was paid."""

from payouts.models.approvals import ApprovalRule, ApprovalStage, Deputy, Reminder
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
    "ApprovalRule",
    "ApprovalStage",
    "Attainment",
    "Batch",
    "BatchLine",
    "Cause",
    "ChangedScope",
    "Deputy",
    "Earning",
    "FigureChange",
    "LedgerEntry",
    "LedgerTransaction",
    "Payable",
    "RecomputeJob",
    "Reminder",
    "Schedule",
    "Statement",
    "Tranche",
]
