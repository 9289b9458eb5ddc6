"""Pages as people read them."""

from __future__ import annotations

import html
import re

from django.http import HttpResponse


def text(answer: HttpResponse) -> str:
    """The words of a page that was found, without markup, blanks as one; cents stay with their amount."""
    assert answer.status_code == 200, answer.status_code
    body = answer.content.decode().replace('<span class="cents">', "")
    words = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))
    return re.sub(r" (?=[.,;])", "", words)
