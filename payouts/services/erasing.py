"""What of a leaver no search of texts finds: files that people attached to adjustments of their pay."""

from __future__ import annotations

from django.utils import timezone

from comp.people.models import Participant
from payouts.models import Attachment


def attachments_erase(participant: Participant) -> int:
    """Drops what the files hold; that there were files, and their digests, stays. Returns how many."""
    kept = Attachment.objects.filter(participant=participant, erased_at=None)
    return kept.update(name="erased", content=b"", erased_at=timezone.now())
