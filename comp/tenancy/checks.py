"""System checks: a tenant-owned table without its walls fails the build."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import Error, register
from django.db import models

from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import HistoryTrigger, PayWall, TenantReference, TenantWall

#: Our own tables that stand outside the tenant wall, each with the reason.
OUTSIDE = {
    "tenancy.user": "a user may belong to several tenants",
    "tenancy.tenant": "the list of tenants itself",
    "tenancy.membership": "read before the tenant is known; has a policy of its own",
    "tenancy.roletable": "what each role may do, the same for every tenant",
    "tenancy.endpointroute": "read before the tenant is known; holds an address and a tenant, nothing else",
    "api.callcount": "counted before the tenant is known; holds how often somebody called, nothing else",
}
OURS = ("tenancy", "audit", "outbox", "people", "web", "api", "plans", "crediting", "payouts", "signals")
#: Models that hold a participant and amounts, and yet no pay, each with the reason.
NOT_PAY = {
    "plans.quota": "a target that the team plans with, not what anybody earns",
    "plans.historicalquota": "the same as it was",
}


@register()
def walls(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Every model of ours is tenant-owned or on the list above; every tenant-owned one has its walls."""
    errors: list[Error] = []
    for model in apps.get_models():
        meta = model._meta
        if meta.app_label not in OURS or not meta.managed or meta.proxy:
            continue
        historical = hasattr(model, "history_id") or any(f.name == "history_id" for f in meta.fields)
        has = {type(c) for c in meta.constraints}
        tenant_owned = issubclass(model, TenantModel) or historical
        if not tenant_owned:
            if meta.label_lower not in OUTSIDE:
                errors.append(
                    _error(
                        "E001",
                        model,
                        "is neither tenant-owned (TenantModel) nor on the list of tables outside the wall",
                    )
                )
            continue
        if TenantWall not in has:
            errors.append(_error("E002", model, "is tenant-owned and has no TenantWall constraint"))
        names = {f.name for f in meta.concrete_fields}
        amounts = any(name.endswith("_minor") for name in names)
        shown = getattr(model, "shows_pay", False) or meta.label_lower in NOT_PAY
        if "participant" in names and amounts and not shown:
            errors.append(_error("E005", model, "holds a participant and amounts: set shows_pay = True"))
        if historical:
            continue
        if issubclass(model, KeptModel) and HistoryTrigger not in has:
            errors.append(_error("E003", model, "keeps history and has no HistoryTrigger"))
        if getattr(model, "shows_pay", False) and PayWall not in has:
            errors.append(_error("E004", model, "shows pay and has no PayWall"))
        for relation in meta.local_many_to_many:
            through = relation.remote_field.through
            if through is not None and through._meta.auto_created:
                errors.append(
                    _error("E009", model, f"{relation.name} has a join table without a tenant: give it a through model")
                )
        keyed = {c.column for c in meta.constraints if isinstance(c, TenantReference)}
        for field in meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and field.name != "tenant":
                target = field.remote_field.model
                if issubclass(target, TenantModel) and not isinstance(field, TenantForeignKey):
                    errors.append(
                        _error(
                            "E006",
                            model,
                            f"{field.name} points at a tenant table by a plain ForeignKey: use TenantForeignKey",
                        )
                    )
                elif type(field) is TenantForeignKey and field.column not in keyed:
                    errors.append(_error("E007", model, f"{field.name} has no tenant-keyed reference"))
        for constraint in meta.constraints:
            if (
                isinstance(constraint, models.UniqueConstraint)
                and constraint.fields
                and constraint.fields[0] != "tenant"
            ):
                errors.append(
                    _error(
                        "E008",
                        model,
                        f"unique {constraint.name} does not start with tenant: it would tell of another tenant's rows",
                    )
                )
        if any(getattr(f, "unique", False) and not f.primary_key for f in meta.concrete_fields):
            errors.append(
                _error("E008", model, "has a unique field: make it a UniqueConstraint that starts with tenant")
            )
    return errors


def _error(code: str, model: type[models.Model], text: str) -> Error:
    return Error(f"{model._meta.label} {text}", obj=model, id=f"comp.{code}")
