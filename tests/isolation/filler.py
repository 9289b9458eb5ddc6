"""A valid row for every tenant-owned model, by looking at its fields: a table that is added later is filled unasked."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import models, transaction

from comp.people.models import Participant, PayGroup, ReportingLine
from comp.tenancy.capabilities import Role
from comp.tenancy.models import KeptModel, Membership, Tenant, TenantForeignKey, TenantModel, User
from comp.tenancy.scope import Actor, Pay, tenant_scope
from crediting.models import AlignmentRule, HookEndpoint, RawDelivery
from payouts.models import (
    AccrualLine,
    AccrualPolicy,
    Adjustment,
    AnswerRow,
    Attachment,
    Batch,
    BatchPerson,
    BatchSettlement,
    ChecklistItem,
    CutOver,
    Deputy,
    Dispute,
    DisputeEntry,
    Download,
    DownloadPart,
    Explanation,
    GivenUp,
    JournalPosting,
    LargeStep,
    LedgerEntry,
    LedgerTransaction,
    NegativeDecision,
    NegativePolicy,
    Opening,
    OpeningFile,
    OpeningTranche,
    Payment,
    PayrollAnswer,
    QuotaRelief,
    Settlement,
    Statement,
    TieOut,
    Tranche,
)

START = date(2026, 1, 1)

#: A settlement that does nothing to what comes in.
SETTLED = {f"{name}_minor": 0 for name in ("topped_up", "recovered", "capped", "held_back", "returned", "forgiven")}

#: What the fields alone do not tell: rules between columns.
SPECIAL: dict[type[models.Model], dict[str, Any]] = {
    Statement: {"released_minor": 2, "adjustments_minor": -1, "payout_minor": 1},
    Settlement: SETTLED,
    BatchSettlement: SETTLED,
    Batch: {"totals": {"USD": 1}, "replaces": None},
    ChecklistItem: {"due_days": 3},
    LedgerTransaction: {"entries": 2, "kind": "accrual", "batch": None},
    AccrualLine: {"earned_minor": 5, "improbable_minor": 1, "taken_minor": 2, "accrued_minor": 2},
    AccrualPolicy: {"share": 50},
    HookEndpoint: {"deals_from": None},
    RawDelivery: {"parent": None},
    AlignmentRule: {"position": ""},
    Attachment: {"digest": hashlib.sha256(b"{}").hexdigest()},
    Adjustment: {"answers": None, "balance": ""},
    QuotaRelief: {"percent": 50},
    NegativePolicy: {"way": "carry", "share": 100},
    NegativeDecision: {"way": "carry"},
    AnswerRow: {"difference": "", "decision": ""},
    Payment: {"why": "", "reissue_of": None},
    GivenUp: {"kept_minor": 2, "earned_minor": 1},
    CutOver: {"batch": None, "digest": ""},
    OpeningFile: {"beside": None},
    Opening: {"earned_minor": 0},
    LargeStep: {"ended_at": datetime(2026, 1, 1, tzinfo=UTC)},
    OpeningTranche: {"amount_minor": 0, "paid_minor": None, "paid_in": "", "paid_rate": None},
    Tranche: {"rate": None},
    Dispute: dict.fromkeys(("by_adjustment", "by_deal", "by_fact", "by_version"))
    | {"decision": "", "decision_words": ""},
    DisputeEntry: {"words": "Look"},
}

#: Tables with one row a person of each of these.
ONE_A_PERSON: dict[type[models.Model], dict[str, type[models.Model]]] = {
    AnswerRow: {"answer": PayrollAnswer},
    BatchPerson: {"batch": Batch},
    Payment: {"batch": Batch},
}


def owned() -> list[type[models.Model]]:
    """Every model whose rows belong to a tenant and stand behind the tenant wall, history included."""
    found = [m for m in apps.get_models() if issubclass(m, TenantModel) or is_history(m)]
    return sorted(found, key=lambda model: model._meta.db_table)


def is_history(model: type[models.Model]) -> bool:
    return any(field.name == "history_id" for field in model._meta.fields)


def pay_tables() -> list[str]:
    return [model._meta.db_table for model in owned() if getattr(model, "shows_pay", False)]


class Filler:
    """Rows of one tenant. Two fillers asked for the same rows give two tenants the same names and dates."""

    def __init__(self, slug: str, **tenant: Any) -> None:
        given = {"slug": slug, "name": "Company", "time_zone": "Europe/Berlin", "currency": "USD", **tenant}
        self.tenant = Tenant.objects.create(**given)
        self.user = User.objects.create(username=slug, email=f"{slug}@filler.test")
        self.rows: dict[type[models.Model], Any] = {}
        self._made = 0

    def scope(self, pay: Pay | None = None) -> Any:
        return tenant_scope(self.tenant.pk, actor=Actor.command("filler"), pay=pay or Pay.everyone())

    def fill(self) -> None:
        """One row at least in every table; the tables of history fill themselves."""
        with self.scope():
            Membership.objects.create(tenant=self.tenant, user=self.user, role=Role.FINANCE)
            for model in owned():
                if not is_history(model):
                    self.of(model)
            for model in self.rows:  # history of a change and of a removal too
                if issubclass(model, KeptModel) and model is not Batch:
                    model._base_manager.filter(pk=self.rows[model].pk).update(tenant=self.tenant)

    def of(self, model: type[models.Model]) -> Any:
        """The tenant's first row of the model."""
        if model not in self.rows:
            if model in (LedgerEntry, LedgerTransaction):  # neither without the other
                self.rows[LedgerEntry] = self.entries()
            else:
                self.rows[model] = self.row(model)
        return self.rows[model]

    def row(self, model: type[models.Model], **given: Any) -> Any:
        """A new row of the model; what is not given is made up, references point to the tenant's first rows."""
        self._made += 1
        said = {**SPECIAL.get(model, {}), **given}
        if model is ReportingLine:
            said.setdefault("manager", self.row(Participant))
        for name, parent in ONE_A_PERSON.get(model, {}).items():
            said.setdefault(name, self.row(parent))
        if model is CutOver:
            said.setdefault("pay_group", self.row(PayGroup))  # one that is not paid yet
        if model is LedgerTransaction:
            said["month"] = None if said["batch"] else START + timedelta(days=30 * self._made)
        if model is OpeningTranche and {"participant", "pay_group"} <= given.keys():  # of an opening of the same person
            said["opening"] = self.row(Opening, **given)
        if model is DownloadPart and {"participant", "pay_group"} <= given.keys():  # of a file of the same pay group
            said["download"] = self.row(Download, **given)
        if model is DisputeEntry and {"participant", "pay_group"} <= given.keys():  # of a dispute of the same person
            said["dispute"] = self.row(Dispute, **given)
        if model is Explanation:  # of what is unexplained
            tie = self.row(TieOut)
            named = {name: getattr(tie, name) for name in ("cut_over", "person", "period_starts_on", "currency")}
            said = {**named, "amount_minor": tie.rest_minor, **said}
        if model is JournalPosting and "transaction" not in said:
            said["transaction"] = self.entries().transaction  # a posting is in one journal
        if model is Payment and said["reissue_of"] is not None:
            said["why"] = Payment.Why.VOID
        if model is Deputy:
            said.setdefault("deputy", self._another())
        for field in model._meta.concrete_fields:
            if field.name not in said and field.attname not in said and self._wanted(field):
                said[field.name] = self._value(field)
        return model._base_manager.create(**said)

    def entries(self, **given: Any) -> Any:
        """A posting of two entries that balance: the ledger takes no others."""
        with transaction.atomic():
            posting = self.row(LedgerTransaction)
            self.rows.setdefault(LedgerTransaction, posting)
            debit = self.row(LedgerEntry, transaction=posting, account="expense", amount_minor=7, **given)
            self.row(LedgerEntry, transaction=posting, account="payable", amount_minor=-7, **given)
        return debit

    def _another(self) -> User:
        name = f"{self.tenant.slug}-{self._made}"
        return User.objects.create(username=name, email=f"{name}@filler.test")

    @staticmethod
    def _wanted(field: models.Field[Any, Any]) -> bool:
        if field.primary_key or field.name == "tenant":
            return False
        whole = isinstance(field, TenantForeignKey) or field.name == "ends_on"
        return whole or not (field.null or field.has_default())

    def _value(self, field: models.Field[Any, Any]) -> Any:
        day = START + timedelta(days=30 * self._made)  # rows of one table never overlap
        if isinstance(field, models.ForeignKey):
            to = field.remote_field.model
            return self.user if to is User else self.of(to)
        if field.choices:
            return field.choices[0][0]
        match field:
            case models.DateTimeField():
                return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self._made)
            case models.DateField():
                return day + timedelta(days=29 if field.name.endswith("ends_on") else 0)
            case models.BooleanField():
                return True
            case models.IntegerField():
                return self._made
            case models.BinaryField():
                return b"{}"
            case models.JSONField():
                return {}
        return "USD" if field.name == "currency" else f"{field.name}-{self._made}"[: field.max_length]
