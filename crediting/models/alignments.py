"""Territory alignment: whose deals are whose by customer, place and product, where a source does not say."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.people.models import Participant
from comp.tenancy.models import TenantForeignKey, TenantModel
from comp.tenancy.walls import AppendOnly
from crediting.models.facts import Account, Product


class Alignment(TenantModel):
    """A whole set of dated rules. It counts once applied, and then has a `number`; the greatest is in force."""

    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_constraint=False)
    uploaded_at = models.DateTimeField(default=timezone.now)
    number = models.PositiveIntegerField(null=True)
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    applied_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)  # deals that moved, deals without an owner

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="alignment_number_once"),
            AppendOnly(name="alignment_append", changing=["number", "applied_by_id", "applied_at", "counts"]),
        ]

    def __str__(self) -> str:
        return f"Alignment {self.number}" if self.number else self.name


class AlignmentRule(TenantModel):
    """One rule (crediting.kernel.alignment), as its file says it."""

    alignment = TenantForeignKey(Alignment)
    line = models.PositiveIntegerField()
    role = models.CharField(max_length=50)
    account = TenantForeignKey(Account, null=True)
    country = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=80, blank=True)
    postal = models.CharField(max_length=20, blank=True)
    product = TenantForeignKey(Product, null=True)
    family = models.CharField(max_length=80, blank=True)
    participant = TenantForeignKey(Participant, null=True)
    position = models.CharField(max_length=120, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="alignmentrule_dates"
            ),
            models.CheckConstraint(
                condition=Q(participant=None, position__gt="") | Q(participant__isnull=False, position=""),
                name="alignmentrule_owner",
            ),
            AppendOnly(name="alignmentrule_append"),
        ]
