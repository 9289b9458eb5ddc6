"""Companies and memberships: refused where they cannot be, recorded where they are."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.people.middleware import TenantMiddleware
from comp.people.models import Participant
from comp.tenancy import services
from comp.tenancy.capabilities import Can, Role
from comp.tenancy.models import Membership
from tests.factories import company, member, person

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"slug": "Acme Inc"}, "is no address for a company"),
        ({"time_zone": "Berlin"}, "Unknown time zone 'Berlin'"),
        ({"currency": "usd"}, "Unknown currency 'usd'"),
        ({"name": ""}, "needs a name"),
    ],
)
def test_a_company_that_cannot_be_is_refused(values: dict, message: str) -> None:
    fitting = {"slug": "acme", "name": "Acme", "time_zone": "UTC", "currency": "USD"}
    with pytest.raises(ProblemsError, match=message):
        services.tenant_create(**{**fitting, **values})


def test_a_weak_password_and_a_second_user_of_an_address_are_refused() -> None:
    with pytest.raises(ProblemsError, match="password of ann@acme.test is refused"):
        services.user_create(email="ann@acme.test", full_name="Ann", password="short")
    services.user_create(email="Ann@acme.test", full_name="Ann", password="nine-lamps-over-water")
    with pytest.raises(ProblemsError, match="can log in already"):
        services.user_create(email="ann@ACME.test", full_name="Ann", password="nine-lamps-over-water")


def test_memberships_are_recorded_and_the_last_administrator_stays() -> None:
    acme = company()
    ada = member(acme, Role.ADMINISTRATOR, "Ada")
    with acme.scope():
        assert Can.MEMBER_EDIT in services.capabilities_of(user=ada)
        mine = Membership.objects.get(user=ada)
        with pytest.raises(ProblemsError, match="Ada is the last administrator"):
            services.membership_remove(membership=mine)
        with pytest.raises(ProblemsError, match="Ada is Administrator here already"):
            services.membership_add(user=ada, role=Role.ADMINISTRATOR)
        with pytest.raises(ProblemsError, match="There is no role 'boss'"):
            services.membership_add(user=ada, role="boss")
    member(acme, Role.ADMINISTRATOR, "Ben")
    with acme.scope():
        services.membership_remove(membership=mine)
        codes = AuditEntry.objects.order_by("number").values_list("code", flat=True)
        assert list(codes)[-3:] == ["membership.add", "membership.add", "membership.remove"]
        assert codes[0] == "tenant.create"


@pytest.mark.parametrize("status", [403, 404, 409, 500])
def test_a_request_that_is_refused_leaves_nothing(status: int) -> None:
    acme = company("acme")
    with acme.scope():
        ann = person(acme, "Ann")

    def write_and_refuse(request: HttpRequest) -> HttpResponse:
        Participant.objects.filter(pk=ann.pk).update(name="Somebody else")
        return HttpResponse(status=status)

    request = RequestFactory().get("/t/acme/plans/")
    request.user, request.session = member(acme, Role.SALES_OPS), {}
    assert TenantMiddleware(write_and_refuse)(request).status_code == status
    with acme.scope():
        assert Participant.objects.get(pk=ann.pk).name == "Ann"
