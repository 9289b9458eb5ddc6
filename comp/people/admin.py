"""People in the administration. What may change changes by the services; the rest is for reading."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from comp.core.errors import refused
from comp.people import services
from comp.people.models import (
    CreditRole,
    Leave,
    Participant,
    PayCalendar,
    PayGroup,
    Position,
    ReportingLine,
    Team,
    Territory,
)
from comp.tenancy.capabilities import Can
from comp.tenancy.models import Membership, User
from comp.web.admin import KeptAdmin


class PeopleAdmin(KeptAdmin):
    reads, writes = Can.PEOPLE_READ, Can.PEOPLE_EDIT


class NamedAdmin(PeopleAdmin):
    """Rows with a key for good and a name."""

    changing = ("name",)
    list_display: tuple[str, ...] = ("name", "key")
    search_fields = ("name", "key")
    ordering = ("name",)

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Any:
        return services.named_change(row=row, **values)


@admin.register(PayCalendar)
class PayCalendarAdmin(NamedAdmin):
    list_display = ("name", "key", "kind", "fiscal_year_start")

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.calendar_create(**values)


@admin.register(PayGroup)
class PayGroupAdmin(NamedAdmin):
    list_display = ("name", "key", "calendar", "opens_on")

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.pay_group_create(**values)


@admin.register(CreditRole)
class CreditRoleAdmin(NamedAdmin):
    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.credit_role_create(**values)


@admin.register(Team)
class TeamAdmin(NamedAdmin):
    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.team_create(**values)


@admin.register(Territory)
class TerritoryAdmin(NamedAdmin):
    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.territory_create(**values)


@admin.register(Participant)
class ParticipantAdmin(PeopleAdmin):
    fields = ("key", "name", "email", "user", "currency", "pay_group", "starts_on", "ends_on")
    changing = ("name", "email", "user", "currency", "pay_group", "starts_on", "ends_on")
    list_display = ("name", "key", "email", "pay_group", "starts_on", "ends_on")
    list_filter = ("pay_group",)
    list_select_related = ("pay_group",)
    search_fields = ("name", "key", "email")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            # Users stand outside the tenant's wall: offer members only.
            members = Membership.objects.filter(tenant=request.tenant)  # type: ignore[attr-defined]
            kwargs["queryset"] = User.objects.filter(pk__in=members.values("user_id")).order_by("full_name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.participant_create(**values)

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Any:
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        return services.participant_change(participant=row, **changed) if changed else row


class TimelineAdmin(PeopleAdmin):
    """Rows by date: a new one ends the one before; one that stands can only be ended."""

    changing = ("ends_on",)
    search_fields = ("participant__name", "participant__key")
    ordering = ("participant__name", "-starts_on")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # A new row ends where the next one starts, not where somebody says.
        return [name for name in super().get_fields(request, obj) if obj or name != "ends_on"]

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Any:
        until = values["ends_on"]
        if until is None and row.ends_on is not None:
            message = f"It ends on {row.ends_on:%-d %B %Y}; to go on from there, add another one."
            raise refused("ends_on", "nothing", f"a day up to {row.ends_on:%-d %B %Y}", message)
        if until is not None and until != row.ends_on:
            services.row_end(row=row, ends_on=until)
        return row


@admin.register(Position)
class PositionAdmin(TimelineAdmin):
    list_display = ("participant", "title", "credit_role", "team", "territory", "starts_on", "ends_on")
    list_filter = ("credit_role", "team")
    list_select_related = ("participant", "credit_role", "team", "territory")

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.position_set(**values)


@admin.register(ReportingLine)
class ReportingLineAdmin(TimelineAdmin):
    list_display = ("participant", "manager", "starts_on", "ends_on")
    list_select_related = ("participant", "manager")

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.reporting_line_set(**values)


@admin.register(Leave)
class LeaveAdmin(TimelineAdmin):
    removable = True
    list_display = ("participant", "starts_on", "ends_on")
    list_select_related = ("participant",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["participant", "starts_on", "ends_on"]

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Any:
        return services.leave_set(**values)

    def remove(self, request: HttpRequest, row: Any) -> None:
        services.leave_remove(leave=row)
