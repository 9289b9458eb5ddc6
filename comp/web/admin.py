"""The base of admin screens, which read by capability and write through the services; and the tenant's memberships."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin

from comp.core.errors import CompError, ProblemsError
from comp.tenancy import services
from comp.tenancy.capabilities import Can
from comp.tenancy.models import Membership, User


class ServiceForm(forms.ModelForm):
    """Hands what was typed to a service as its last check: what the service refuses stands at its field, and what it
    accepts is written, before the admin goes on. The admin's own saving does nothing (ServiceAdmin.save_model)."""

    request: HttpRequest
    model_admin: ServiceAdmin

    def _post_clean(self) -> None:
        row = None if self.instance._state.adding else self.instance.pk
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        values = {name: self.cleaned_data[name] for name in self.fields}
        try:
            with transaction.atomic():
                if row is None:
                    self.instance = self.model_admin.create(self.request, values)
                else:
                    # Read again: the form has put the new values on its own instance already.
                    standing = self.model_admin.get_queryset(self.request).get(pk=row)
                    self.instance = self.model_admin.change(self.request, standing, values)
        except ProblemsError as error:
            for problem in error.problems:
                self.add_error(problem.path if problem.path in self.fields else None, str(problem.message))
        except CompError as error:
            self.add_error(None, str(error))


class ServiceAdmin(ModelAdmin):
    """`reads` and `writes` are capabilities; `changing` names the fields that may change once a row stands.

    Subclasses give `create` and, where something may change, `change`; `remove` where a row may go.
    """

    form = ServiceForm
    reads: Can
    writes: Can
    changing: tuple[str, ...] = ()
    removable = False
    list_per_page = 50
    compressed_fields = True
    warn_unsaved_form = True

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Model:
        raise NotImplementedError

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Model:
        raise NotImplementedError

    def remove(self, request: HttpRequest, row: Any) -> None:
        raise NotImplementedError

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.request, form.model_admin = request, self
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        names: tuple[str, ...] = tuple(super().get_readonly_fields(request, obj))
        if obj is None:
            return names
        listed = self.fields or [field.name for field in self.opts.fields if field.editable and not field.primary_key]
        return (*names, *(str(name) for name in listed if name not in self.changing))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has written by a service already."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(request, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProblemsError as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    # The services write the audit trail; Django's own log knows no tenant.
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        return None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool({self.reads, self.writes} & request.can)  # type: ignore[attr-defined]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.writes in request.can  # type: ignore[attr-defined]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.changing) and self.writes in request.can  # type: ignore[attr-defined]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.removable and self.writes in request.can  # type: ignore[attr-defined]


class KeptAdmin(SimpleHistoryAdmin, ServiceAdmin):
    """For configuration of which every state is kept: shows it, and never turns back past the services."""

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "GET":
            raise PermissionDenied("a kept state is for reading")
        return super().history_form_view(request, object_id, version_id, extra_context)


class MembershipForm(ServiceForm):
    """Somebody is let in by address; who cannot log in yet needs a name and a first password."""

    email = forms.EmailField(label="E-mail address")
    full_name = forms.CharField(label="Full name", required=False, help_text="For somebody who cannot log in yet.")
    password = forms.CharField(
        label="First password",
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="For somebody who cannot log in yet; at least 10 characters.",
    )

    class Meta:
        model = Membership
        fields = ("role", "pay_groups")


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    reads = writes = Can.MEMBER_EDIT
    removable = True
    changing = ("pay_groups",)
    list_display = ("user", "role", "pay_groups", "created_at")
    list_filter = ("role",)
    search_fields = ("user__full_name", "user__email")
    ordering = ("user__full_name", "role")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # The wall shows a user's own memberships of other companies too.
        return super().get_queryset(request).filter(tenant=request.tenant).select_related("user")  # type: ignore[attr-defined]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **({} if obj else {"form": MembershipForm}), **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "role", "pay_groups") if obj else ("email", "full_name", "password", "role", "pay_groups")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "role") if obj else ()

    def create(self, request: HttpRequest, values: dict[str, Any]) -> Membership:
        user = User.objects.filter(email__iexact=values["email"]).first() or services.user_create(
            email=values["email"], full_name=values["full_name"], password=values["password"]
        )
        return services.membership_add(user=user, role=values["role"], pay_groups=values["pay_groups"] or [])

    def change(self, request: HttpRequest, row: Any, values: dict[str, Any]) -> Membership:
        return services.membership_change(membership=row, pay_groups=values["pay_groups"] or [])

    def remove(self, request: HttpRequest, row: Any) -> None:
        services.membership_remove(membership=row)
