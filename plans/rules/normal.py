"""The one written form of a plan document: equal plans have equal documents, so equal digests.

`12.50 %` becomes `12.5%`, `25000` becomes `25000.00` in USD, `1.50` becomes `1.5`; optional keys that hold nothing go.
What cannot be read is left as it is, for `check` to name.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from plans.rules.about import about
from plans.rules.language import PLAN
from plans.rules.settings import normal_settings


def normalise(document: Any) -> Any:
    """A new document in normal form; the given one is not touched. Normalising twice changes nothing more."""
    document = _copy(document)
    if not isinstance(document, dict):
        return document
    document = PLAN.normal(document, about(document))
    normal_settings(document)
    return document


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {_copy(key): _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value
