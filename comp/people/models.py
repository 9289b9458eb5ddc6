"""Who can earn, in which place, since when. Dates are half-open: [starts_on, ends_on), an empty end is open."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from comp.tenancy.models import KeptModel, LooseForeignKey, TenantField, TenantForeignKey, TenantModel, User
from comp.tenancy.walls import AppendOnly, NoOverlap


class PayCalendar(KeptModel):
    """How the tenant's time is cut: `kind` gives the pay periods, the fiscal year start the quarters, halves and years
    of measures."""

    class Kind(models.TextChoices):
        MONTHLY = "monthly", "Monthly"
        SEMIMONTHLY = "semimonthly", "Twice a month"
        BIWEEKLY = "biweekly", "Every two weeks"
        WEEKLY = "weekly", "Weekly"
        QUARTERLY = "quarterly", "Quarterly"
        P445 = "4-4-5", "4-4-5 weeks"
        P454 = "4-5-4", "4-5-4 weeks"
        P544 = "5-4-4", "5-4-4 weeks"

    key = models.SlugField()
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    fiscal_year_start = models.PositiveSmallIntegerField(default=1)  # month, 1 to 12
    year_end_weekday = models.PositiveSmallIntegerField(null=True, blank=True)  # 0 Monday; week-based calendars only
    year_end_rule = models.CharField(max_length=7, blank=True)  # last | nearest
    anchor = models.DateField(null=True, blank=True)  # the first day of any one period; weekly and biweekly only

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="calendar_key_once"),
            models.CheckConstraint(condition=Q(fiscal_year_start__range=(1, 12)), name="calendar_month"),
        ]

    def __str__(self) -> str:
        return self.name


class PayGroup(KeptModel):
    """People who are paid together. `opens_on`: the first day for which Comp pays; what was released before falls into
    that period."""

    key = models.SlugField()
    name = models.CharField(max_length=120)
    calendar = TenantForeignKey(PayCalendar)
    opens_on = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="paygroup_key_once")]

    def __str__(self) -> str:
        return self.name


class CreditRole(KeptModel):
    """AE, SE, CSM, manager: the tenant defines its own."""

    key = models.SlugField()
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="creditrole_key_once")]

    def __str__(self) -> str:
        return self.name


class Territory(KeptModel):
    key = models.SlugField()
    name = models.CharField(max_length=120)

    class Meta:
        verbose_name_plural = "territories"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="territory_key_once")]

    def __str__(self) -> str:
        return self.name


class Team(KeptModel):
    key = models.SlugField()
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="team_key_once")]

    def __str__(self) -> str:
        return self.name


class Participant(KeptModel):
    """A person (or partner company) who can earn."""

    key = models.CharField(max_length=60)  # the employee number
    name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+", db_constraint=False)
    currency = models.CharField(max_length=3)
    pay_group = TenantForeignKey(PayGroup)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="participant_key_once")]
        indexes = [models.Index(fields=["tenant", "user"], name="participant_user")]

    def __str__(self) -> str:
        return self.name


class Position(KeptModel):
    """What a participant is, by date: title, credit role, team, territory."""

    participant = TenantForeignKey(Participant)
    title = models.CharField(max_length=120)
    credit_role = TenantForeignKey(CreditRole)
    team = TenantForeignKey(Team, null=True, blank=True)
    territory = TenantForeignKey(Territory, null=True, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            NoOverlap(name="position_once", key=["participant_id"]),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="position_dates"),
        ]


class ReportingLine(KeptModel):
    """Who reports to whom, by date. At most one manager at a time; cycles are refused by the service."""

    participant = TenantForeignKey(Participant)
    manager = TenantForeignKey(Participant)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            NoOverlap(name="reporting_once", key=["participant_id"]),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="reporting_dates"),
            models.CheckConstraint(condition=~Q(participant=F("manager")), name="reporting_not_self"),
        ]


class Leave(KeptModel):
    """Days on which a participant is employed and away, by date: what plans leave out where they say so."""

    participant = TenantForeignKey(Participant)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "leave"
        constraints = [
            NoOverlap(name="leave_once", key=["participant_id"]),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="leave_dates"),
        ]


class Gap(KeptModel):
    """Days between a participant's first and last day on which they were not employed, until hired again."""

    participant = TenantForeignKey(Participant)
    starts_on = models.DateField()
    ends_on = models.DateField()

    class Meta:
        constraints = [
            NoOverlap(name="gap_once", key=["participant_id"]),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="gap_dates"),
        ]


class Attribute(KeptModel):
    """What else a participant is by date: region, position and pool, which a plan may ask; cost centre and legal
    entity, which journals and budgets ask. Title and team stand in Position."""

    class Name(models.TextChoices):
        REGION = "region", "Region"
        POSITION = "position", "Position"
        POOL = "pool", "Pool"
        COST_CENTRE = "cost_centre", "Cost centre"
        ENTITY = "entity", "Legal entity"

    participant = TenantForeignKey(Participant)
    name = models.CharField(max_length=11, choices=Name.choices)
    value = models.CharField(max_length=120)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            NoOverlap(name="attribute_once", key=["participant_id", "name"]),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="attribute_dates"),
        ]


class Holiday(KeptModel):
    """A day that is no working day for the pay groups of a calendar."""

    calendar = TenantForeignKey(PayCalendar)
    day = models.DateField()
    name = models.CharField(max_length=120)

    class Meta:
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["tenant", "calendar", "day"], name="holiday_once")]


class ExchangeRate(TenantModel):
    """One unit of `source` is `rate` units of `target` from a day on, until the next rate of the pair and kind or its
    own end. Said again for the same first day it is a new revision; one without a rate takes it back."""

    class Kind(models.TextChoices):
        SPOT = "spot", "Of the day"
        AVERAGE = "average", "Average"

    source = models.CharField(max_length=3)
    target = models.CharField(max_length=3)
    kind = models.CharField(max_length=7, choices=Kind.choices)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    rate = models.DecimalField(max_digits=18, decimal_places=10, null=True)
    revision = models.PositiveIntegerField(default=1)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-starts_on", "source", "target", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "source", "target", "kind", "starts_on", "revision"], name="rate_revision_once"
            ),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gt=F("starts_on")), name="rate_dates"),
            models.CheckConstraint(condition=Q(rate=None) | Q(rate__gt=0), name="rate_positive"),
            AppendOnly(name="exchangerate_append"),
        ]

    def __str__(self) -> str:
        return f"{self.source} to {self.target} ({self.kind})"


class RosterFile(TenantModel):
    """An uploaded roster, and whether it was applied: by whom, when, and how much it changed."""

    name = models.CharField(max_length=200)
    text = models.TextField()
    digest = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    uploaded_by = models.ForeignKey(User, models.PROTECT, related_name="+", db_constraint=False)
    uploaded_at = models.DateTimeField(default=timezone.now)
    applied_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_constraint=False)
    applied_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)  # changes by kind

    class Meta:
        ordering = ["-id"]
        constraints = [AppendOnly(name="rosterfile_append", changing=["applied_by_id", "applied_at", "counts"])]

    def __str__(self) -> str:
        return self.name


class Erasure(TenantModel):
    """A request to take a leaver's name and address out of everything that is kept, approved by a second person, and
    how far it is. The employee number stays, and every amount and digest with it (docs/privacy.md)."""

    participant = TenantForeignKey(Participant)
    pseudonym = models.CharField(max_length=60)  # what stands in the place of the name
    reason = models.TextField()
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+", db_constraint=False)
    asked_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_constraint=False)
    approved_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)  # texts replaced, by table
    digest = models.CharField(max_length=64, blank=True)  # of its redactions

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("asked_by")), name="erasure_two_people"
            ),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(approved_by__isnull=False), name="erasure_approved_before_done"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="erasure_reason"),
            models.UniqueConstraint(
                fields=["tenant", "participant"], condition=Q(done_at=None), name="erasure_asked_once"
            ),
            AppendOnly(
                name="erasure_append", changing=["approved_by_id", "approved_at", "done_at", "counts", "digest"]
            ),
        ]

    def __str__(self) -> str:
        return self.pseudonym


class Redaction(TenantModel):
    """One text that an erasure replaced: where, and the SHA-256 of what it was and of what it is. Written by the
    database itself (comp_redact), which changes nothing without it."""

    erasure = TenantForeignKey(Erasure)
    table = models.CharField(max_length=63)
    row = models.BigIntegerField()
    column = models.CharField(max_length=63)
    before_sha256 = models.CharField(max_length=64)
    after_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [AppendOnly(name="redaction_append")]
        indexes = [models.Index(fields=["tenant", "table", "row"], name="redaction_row")]


class PayModel(TenantModel):
    """Base of tables that show pay: behind the pay wall by participant, and by pay group for those who see more."""

    participant = TenantForeignKey(Participant)
    pay_group = TenantForeignKey(PayGroup)
    shows_pay = True

    class Meta:
        abstract = True


class BulkPayModel(TenantModel):
    """As PayModel, for bulk result rows: references proven set-wise by their one writer, and the tenant by the wall,
    which admits the transaction's own alone. No row refers to one of them: each index costs a tenth of their load."""

    tenant = TenantField(db_constraint=False)
    participant = LooseForeignKey(Participant)
    pay_group = LooseForeignKey(PayGroup)
    shows_pay = True
    referred_to = False

    class Meta:
        abstract = True
