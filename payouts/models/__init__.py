"""What credit earns, what is payable, who agreed, what was paid."""

from payouts.models.approvals import ApprovalRule, ApprovalStage, Deputy, Reminder
from payouts.models.batches import Batch, BatchLine
from payouts.models.evidence import EvidenceExport, EvidenceFile
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
from payouts.models.payments import AnswerRow, Payment, PayrollAnswer, PayrollFile, PayrollProvider, PayrollRun
from payouts.models.settlements import BatchDraw, BatchSettlement, DrawStanding, Settlement

__all__ = [
    "Adjustment",
    "AdjustmentFile",
    "AdjustmentPolicy",
    "Alert",
    "AnswerRow",
    "ApprovalRule",
    "ApprovalStage",
    "Attachment",
    "Attainment",
    "Batch",
    "BatchDraw",
    "BatchHeld",
    "BatchLine",
    "BatchSettlement",
    "Cause",
    "ChangedScope",
    "Deputy",
    "DrawStanding",
    "Earning",
    "EvidenceExport",
    "EvidenceFile",
    "FarApproval",
    "FigureChange",
    "Hold",
    "LedgerEntry",
    "LedgerTransaction",
    "Payable",
    "Payment",
    "PayrollAnswer",
    "PayrollFile",
    "PayrollProvider",
    "PayrollRun",
    "QuotaRelief",
    "ReachPolicy",
    "RecomputeJob",
    "Reminder",
    "Schedule",
    "Settlement",
    "SideLetter",
    "Statement",
    "Tranche",
    "WindfallReview",
]
