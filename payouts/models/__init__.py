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
from payouts.models.manual import (
    Adjustment,
    AdjustmentFile,
    AdjustmentPolicy,
    Attachment,
    BatchHeld,
    FarApproval,
    Hold,
    QuotaRelief,
    ReachPolicy,
    SideLetter,
    WindfallReview,
)

__all__ = [
    "Adjustment",
    "AdjustmentFile",
    "AdjustmentPolicy",
    "Alert",
    "ApprovalRule",
    "ApprovalStage",
    "Attachment",
    "Attainment",
    "Batch",
    "BatchHeld",
    "BatchLine",
    "Cause",
    "ChangedScope",
    "Deputy",
    "Earning",
    "FarApproval",
    "FigureChange",
    "Hold",
    "LedgerEntry",
    "LedgerTransaction",
    "Payable",
    "QuotaRelief",
    "ReachPolicy",
    "RecomputeJob",
    "Reminder",
    "Schedule",
    "SideLetter",
    "Statement",
    "Tranche",
    "WindfallReview",
]
