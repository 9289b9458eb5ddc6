"""Files that people upload, on their way to deliveries."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from comp.tenancy.models import TenantForeignKey, TenantModel
from crediting.models.intake import HookEndpoint, RawDelivery


class Upload(TenantModel):
    """A file of facts that a person uploaded: read to parts, its columns matched (`mapping`), every row checked, and
    then taken in. Its rows become deliveries below `delivery`, which keeps the file.

    new → checking → checked → taking → taken ; discarded; or failed (a
    fault of ours: it alone stops). `step` is the place of the next part that is checked or
    taken; `counts` what checking found, `questions` what rows would have to wait for.
    """

    class State(models.TextChoices):
        NEW = "new", "To be matched"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked"
        TAKING = "taking", "Being taken in"
        TAKEN = "taken", "Taken in"
        DISCARDED = "discarded", "Discarded"
        FAILED = "failed", "Stopped"

    endpoint = TenantForeignKey(HookEndpoint)
    name = models.CharField(max_length=200)
    event = models.CharField(max_length=40)
    size = models.IntegerField()
    sha256 = models.CharField(max_length=64)
    body = models.BinaryField()  # the file, by gzip; empty once its delivery keeps it
    form = models.JSONField(default=dict)
    header = models.JSONField(default=list)
    columns = models.JSONField(default=dict)  # our field, by column
    mapping = models.JSONField(default=dict)
    rows = models.IntegerField()
    parts = models.IntegerField()
    step = models.IntegerField(default=0)
    counts = models.JSONField(default=dict)
    questions = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    made_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True)
    delivery = TenantForeignKey(RawDelivery, null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["new", "checking", "checked", "taking", "taken", "discarded", "failed"]),
                name="upload_state",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "id"], condition=Q(state__in=["checking", "taking"]), name="upload_at_work")
        ]

    def __str__(self) -> str:
        return self.name


class UploadPart(TenantModel):
    """Some rows of a file. `rows`: [[line, cells, error], …] until they are taken in; `good`: what each good row says
    ([line, kind, key, id, message]); `bad`: the rows that cannot be taken, with the reason."""

    upload = TenantForeignKey(Upload)
    place = models.IntegerField()
    rows = models.JSONField()
    good = models.JSONField(default=list)
    bad = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "upload", "place"], name="upload_part_once")]
