"""Icons from the heroicons wheel, as inline SVG that is hidden from screen readers: the word beside it speaks."""

from __future__ import annotations

from functools import cache

from django.utils.safestring import SafeString, mark_safe
from heroicons.templatetags.heroicons import heroicon_micro, heroicon_mini, heroicon_outline

_STYLES = {16: heroicon_micro, 20: heroicon_mini, 24: heroicon_outline}


@cache
def icon(name: str, size: int = 20) -> SafeString:
    """The icon as SVG; size 16, 20 or 24 pixels picks the drawing made for that size."""
    if size not in _STYLES:
        raise ValueError(f"icon {name!r}: found size {size}, allowed are 16, 20 and 24")
    drawn = _STYLES[size](name, size=size, aria_hidden="true", focusable="false")
    return mark_safe(drawn)
