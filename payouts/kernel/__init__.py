"""Rating: from credits to attainments, earnings and payables. Pure: columns in, columns out."""

from payouts.kernel.batch import Batch, Result
from payouts.kernel.pipeline import calculate

__all__ = ["Batch", "Result", "calculate"]
