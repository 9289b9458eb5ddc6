"""Tenants, users, memberships; the base of every tenant-owned table."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models.signals import class_prepared
from django.utils import timezone
from simple_history.models import HistoricalRecords

from comp.tenancy.capabilities import Role
from comp.tenancy.scope import current_tenant_id
from comp.tenancy.walls import AppendOnly, HistoryTrigger, OwnRows, PayWall, SqlConstraint, TenantReference, TenantWall


class EmailUserManager(UserManager["User"]):
    """Users are known by their address."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person who can log in. Belongs to no tenant of its own; memberships say where they may go and as what."""

    email = models.EmailField(unique=True)
    full_name = models.CharField(max_length=150, blank=True)

    objects = EmailUserManager()  # type: ignore[misc]

    def __str__(self) -> str:
        return self.full_name or self.email


class Tenant(models.Model):
    """A company. `time_zone` decides its period ends."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    note = models.TextField(blank=True)  # shown on the front page: for a demo company, what in it is generated
    # Months after leaving from which a person's name and address are due to be erased; empty: no rule is stated.
    retention_months = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class EndpointRoute(models.Model):
    """Which tenant an unguessable hook address, or an API key's prefix, belongs to: all that may be known before the
    tenant is set."""

    token = models.CharField(max_length=64, unique=True)
    tenant = models.ForeignKey(Tenant, models.CASCADE)


# ------------------------------------------------------------------ the base of tenant-owned tables


class TenantForeignKey(models.ForeignKey):
    """A foreign key whose database constraint is on (tenant_id, column); see TenantReference."""

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        kwargs["db_index"] = False
        kwargs.setdefault("related_name", "+")
        super().__init__(to, on_delete, **kwargs)


class LooseForeignKey(TenantForeignKey):
    """A tenant-keyed reference on a bulk result table: no row-by-row constraint (a foreign key costs more than the load
    itself); the writer writes only what it read under the wall in the same transaction (payouts.frames). The catalogue
    test knows the short list of such tables."""


class TenantField(models.ForeignKey):
    """The tenant of a row: the current scope's, unless said otherwise. Migrations do not carry that default: there is
    no scope in them."""

    def __init__(self, to: Any = Tenant, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        super().__init__(to, on_delete, **{"editable": False, "db_index": False, "related_name": "+", **kwargs})
        if not self.null:
            self.default = current_tenant_id

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("default", None)
        return name, "django.db.models.ForeignKey", args, kwargs


class TenantModel(models.Model):
    """Base of every tenant-owned table: adds the tenant wall, the (tenant, id) key and tenant-keyed foreign keys.

    `shows_pay = True` adds the pay wall; such a model has `participant` and `pay_group`.
    """

    shows_pay = False
    #: Rows that others refer to have the (tenant, id) key of a tenant-keyed reference.
    referred_to = True

    tenant = TenantField()

    class Meta:
        abstract = True


class KeptHistory(HistoricalRecords):
    """simple-history's tables and `as_of`, walled, filled by trigger and only ever added to."""

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        options = super().get_meta_options(model)
        table = f"{model._meta.app_label}_historical{model._meta.model_name}"
        options["constraints"] = [TenantWall(name=f"{table}_wall"), AppendOnly(name=f"{table}_append")]
        options["indexes"] = [
            models.Index(
                fields=["tenant", "id", "history_date"], name=f"h_{model._meta.app_label}_{model._meta.model_name}"[:30]
            )
        ]
        return options


class Membership(models.Model):
    """One user in one tenant in one role; several rows where someone has several roles. Who was in, when and as what is
    kept: the access review reads it."""

    tenant = models.ForeignKey(Tenant, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE)
    role = models.CharField(max_length=20, choices=Role.choices)
    pay_groups = models.JSONField(
        default=list, blank=True
    )  # keys of the pay groups whose pay it may see; none: all of them
    created_at = models.DateTimeField(default=timezone.now)

    history = KeptHistory()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user", "role"], name="membership_once"),
            OwnRows(name="membership_own"),
            HistoryTrigger(name="membership_kept", into="tenancy_historicalmembership"),
        ]


class RoleTable(models.Model):
    """What each role could do from `since` on, as the code said it that was installed then. A row is added by `migrate`
    where the table differs from the last one. No company's data: it is the same for all."""

    since = models.DateTimeField(default=timezone.now)
    digest = models.CharField(max_length=64)
    roles = models.JSONField()  # capabilities by role, sorted

    class Meta:
        ordering = ["since", "id"]
        constraints = [AppendOnly(name="roletable_append")]


class KeptModel(TenantModel):
    """Configuration that moves money: every version of every row is kept, and `history.as_of(moment)` reads it as it
    was."""

    history = KeptHistory(inherit=True)

    class Meta:
        abstract = True


def _add_walls(sender: type[models.Model], **kwargs: Any) -> None:
    meta = sender._meta
    if not issubclass(sender, TenantModel) or meta.abstract or meta.proxy:
        return
    table = meta.db_table
    own: list[Any] = [TenantWall(name=f"{table}_wall")]
    if sender.referred_to:
        own.append(models.UniqueConstraint(fields=["tenant", "id"], name=f"{table}_key"))
    for field in meta.local_fields:
        if isinstance(field, TenantForeignKey) and not isinstance(field, LooseForeignKey):
            target = field.remote_field.model
            if isinstance(target, str):
                to = (
                    table
                    if target == "self"
                    else (target if "." in target else f"{meta.app_label}.{target}").replace(".", "_").lower()
                )
            else:
                to = target._meta.db_table
            own.append(TenantReference(name=f"{table}_{field.column}_in"[:60], column=field.column, to=to))
    if getattr(sender, "shows_pay", False):
        own.append(PayWall(name=f"{table}_pay"))
    if issubclass(sender, KeptModel):
        own.append(HistoryTrigger(name=f"{table}_kept", into=f"{meta.app_label}_historical{meta.model_name}"))
    # Uniques first: a tenant-keyed reference needs the (tenant, id) key of its target, and deferred SQL keeps this
    # order.
    meta.constraints = sorted([*own, *meta.constraints], key=lambda c: isinstance(c, SqlConstraint))
    meta.original_attrs["constraints"] = meta.constraints


class_prepared.connect(_add_walls)
