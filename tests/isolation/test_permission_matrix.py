"""Every address × every role × right and wrong company × every method × own and foreign ids.

The table says who may open what; an address that it does not name fails the test. Two companies are built by the same
signed events; what only one of them, or only one colleague, may know is planted in unmistakable amounts and names, and
no answer to anybody else holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from comp.api.models import WebhookMessage
from comp.api.services import key_create
from comp.api.webhooks import tell, webhook_create
from comp.people.dated import holiday_set
from comp.people.models import Erasure, Participant
from comp.people.rates import rate_set
from comp.people.services import leave_set, pay_group_create
from comp.tenancy.capabilities import CAPABILITIES, Can, Role
from comp.tenancy.models import User
from crediting.models import DataIssue, Deal
from crediting.services.alignments import alignment_store
from crediting.services.catalogue import account_create
from crediting.services.endpoints import endpoint_create
from crediting.services.transfers import deal_transfer
from crediting.services.uploads import upload_add
from payouts.models import (
    Adjustment,
    AnswerRow,
    Batch,
    BatchCheck,
    BatchSettlement,
    Cause,
    CostLine,
    CutOver,
    Earning,
    EvidenceExport,
    Journal,
    LargeStep,
    NegativeDecision,
    OpeningFile,
    Payment,
    PayrollFile,
    PayrollRun,
    RecomputeJob,
    SettlementReview,
    Statement,
    TieOut,
    WindfallReview,
)
from payouts.models.figures import LINE_KEY
from payouts.models.manual import State
from payouts.services.accruals import accrue
from payouts.services.adjustments import Wanted, file_decide, file_take
from payouts.services.approval_rules import deputy_add, rule_add
from payouts.services.attachments import File
from payouts.services.checklists import check_do
from payouts.services.contract_costs import costs_run
from payouts.services.cutovers import cutover_prepare
from payouts.services.holds import hold_place
from payouts.services.letters import letter_decide, letter_prepare
from payouts.services.payroll_answers import answer_apply, answer_read
from payouts.services.payroll_files import provider_set
from payouts.services.relief import relief_prepare
from plans import services as plans
from plans.models import Plan, PlanAssignment, PlanVersion, Quota
from plans.roster import roster_store
from tests.database import TestDatabase
from tests.factories import library, member, person
from tests.pages.rep.world import NOVEMBER, World, selling

#: The month that is closed in both companies.
CLOSED = date(2024, 1, 1)

# ------------------------------------------------------------------ who

#: Each visitor's roles in acme. Bob is Ann's colleague, Mia leads both, Cleo sells and does Finance, nothing paid yet.
VISITORS: dict[str, list[Role]] = {
    "Ann": [Role.REPRESENTATIVE],
    "Bob": [Role.REPRESENTATIVE],
    "Mia": [Role.MANAGER],
    "Olga": [Role.SALES_OPS],
    "Fay": [Role.FINANCE],
    "Lena": [Role.REVENUE_LEADER],
    "Ada": [Role.ADMINISTRATOR],
    "Max": [Role.INTEGRATION],
    "Cleo": [Role.REPRESENTATIVE, Role.FINANCE],
    "stranger": [],  # does Finance in the other company
    "anonymous": [],
}
SELL, OPS, FINANCE = {"Ann", "Bob", "Mia", "Cleo"}, {"Olga"}, {"Fay", "Cleo"}
READERS = OPS | FINANCE | {"Lena", "Ada"}
MEMBERS = SELL | READERS
#: What is Ann's: hers, her manager's, and of those who see everybody's pay.
ANNS = {"Ann", "Mia", "Olga", "Fay", "Lena", "Cleo"}

# ------------------------------------------------------------------ what


@dataclass(frozen=True)
class Page:
    """Who opens it and by which methods, what it answers them, and what the view itself asks for.

    Others read 403, or 404 where they may not know that it is there (`hides`: from these, or from everyone else).
    """

    opens: set[str]
    methods: str = "GET"
    needs: tuple[Can, ...] = ()
    answers: tuple[int, ...] = (200,)
    hides: frozenset[str] = frozenset()


def own(opens: set[str], *more: Any, **said: Any) -> Page:
    """A page that its view shows to anyone for whom the walls show the row."""
    return Page(opens, *more, hides=frozenset(MEMBERS - opens), **said)


FORM, STEP = "GET POST", "POST"
POSTED = (200, 302, 400, 422)
READ = (Can.BATCH_READ,)
PAYS = (Can.BATCH_READ, Can.BATCH_PAY)
SUBMITS = (Can.BATCH_READ, Can.BATCH_SUBMIT)

PAGES: dict[str, Page] = {
    "": Page(MEMBERS, answers=(302,)),
    "home/": Page(SELL, needs=(Can.PAY_OWN,)),
    "home/figures/": Page(SELL, needs=(Can.PAY_OWN,)),
    "deals/": Page(SELL, needs=(Can.PAY_OWN,)),
    "statements/": Page(SELL, needs=(Can.PAY_OWN,)),
    "statements/<day:period>/": Page(SELL - {"Cleo"}, needs=(Can.PAY_OWN,), hides=frozenset({"Cleo"})),
    "statements/<day:period>/<int:participant>/": own(ANNS),
    "why/<int:pk>/": own(ANNS),
    "deals/<int:deal>/": own(ANNS),
    "deals/<int:deal>/transfer/": Page(OPS, FORM, (Can.DATA_FIX,)),
    "deals/<int:deal>/transfers/<int:transfer>/": Page(OPS, FORM, (Can.DATA_FIX,)),
    "deliveries/<int:delivery>/": own(ANNS),
    "team/": Page({"Mia"}, needs=(Can.PAY_TEAM,)),
    "payouts/": Page(FINANCE | {"Lena"}, needs=READ),
    "payouts/open/<slug:group>/": Page(FINANCE, FORM, (*READ, Can.BATCH_SUBMIT)),
    "payouts/open/<slug:group>/lock/": Page(FINANCE, STEP, (*READ, Can.BATCH_SUBMIT)),
    "payouts/open/<slug:group>/off-cycle/": Page(FINANCE, FORM, (*READ, Can.BATCH_SUBMIT)),
    "payouts/checklist/": Page(FINANCE, FORM, (*READ, Can.BATCH_SUBMIT)),
    "payouts/checklist/<int:item>/": Page(FINANCE, FORM, (*READ, Can.BATCH_SUBMIT)),
    "payouts/<int:pk>/": Page(FINANCE | {"Lena"}, needs=READ),
    "payouts/<int:pk>/submit/": Page(FINANCE, STEP, (*READ, Can.BATCH_SUBMIT)),
    "payouts/<int:pk>/part/": Page(FINANCE, FORM, (*READ, Can.BATCH_APPROVE)),
    "payouts/<int:pk>/unlock/": Page(FINANCE, STEP, (*READ, Can.BATCH_SUBMIT)),
    "payouts/<int:pk>/unlock/confirm/": Page(FINANCE, STEP, (*READ, Can.BATCH_APPROVE)),
    "payouts/<int:pk>/posting/": Page(FINANCE | {"Lena"}, needs=READ),
    "payouts/steps/<int:step>/": Page(FINANCE | {"Lena"}, needs=READ),
    "payouts/steps/<int:step>/back/": Page(FINANCE | {"Lena"}, STEP, READ),
    "payouts/<int:pk>/close/": Page(FINANCE, STEP, (*READ, Can.BATCH_PAY)),
    "payouts/<int:pk>/checks/<int:check>/": Page(FINANCE | {"Lena"}, needs=READ),
    "closes/": Page(MEMBERS),
    "closes/<int:check>/": own(FINANCE, STEP),
    # Whoever a chain names decides, too; this batch's names nobody else.
    "payouts/<int:pk>/approve/": Page(FINANCE, FORM, READ, (302,), frozenset({"Lena"})),  # asks who is there, again
    "payouts/<int:pk>/reject/": Page(FINANCE, STEP, READ, hides=frozenset({"Lena"})),
    "payouts/<int:pk>/delegate/": Page(FINANCE, STEP, READ, hides=frozenset({"Lena"})),
    "decisions/": Page(FINANCE | {"Lena"}, needs=READ),
    "decisions/deputies/": Page(FINANCE | {"Lena"}, FORM, READ),
    "decisions/deputies/<int:deputy>/end/": Page(FINANCE | {"Lena"}, STEP, READ),
    "approval-rules/": Page(OPS | FINANCE | {"Ada"}, needs=(Can.AUDIT_READ,)),
    "approval-rules/new/": Page({"Ada"}, FORM, (Can.MEMBER_EDIT,)),
    "approval-rules/<int:pk>/end/": Page({"Ada"}, STEP, (Can.MEMBER_EDIT,)),
    "payouts/<int:pk>/export/": Page(FINANCE, FORM, PAYS, POSTED),
    "payouts/<int:pk>/payments/": Page(FINANCE | {"Lena"}, needs=READ),
    "payouts/<int:pk>/payments/again/": Page(FINANCE, STEP, PAYS),
    "payouts/<int:pk>/answer/": Page(FINANCE, FORM, PAYS, POSTED),
    "payments/<int:payment>/": Page(FINANCE | {"Lena"}, needs=READ),
    "payments/<int:payment>/step/": Page(FINANCE, STEP, PAYS),
    "cut-overs/": Page(FINANCE | {"Lena"}, needs=READ),
    "cut-overs/new/": Page(FINANCE, FORM, SUBMITS),
    "cut-overs/<int:pk>/": Page(FINANCE | {"Lena"}, needs=READ),
    "cut-overs/<int:pk>/openings/": Page(FINANCE, FORM, SUBMITS),
    "cut-overs/<int:pk>/balances/": Page(FINANCE, FORM, SUBMITS),
    "cut-overs/<int:pk>/step/": Page(FINANCE, STEP, SUBMITS),
    "cut-overs/<int:pk>/sign/": Page(FINANCE, FORM, (Can.BATCH_READ, Can.BATCH_APPROVE), (302,)),
    "cut-overs/files/<int:brought>/back/": Page(FINANCE, STEP, SUBMITS),
    "payroll/": Page(FINANCE, needs=PAYS),
    "payroll/providers/new/": Page(FINANCE, FORM, PAYS),
    "payroll/providers/<int:provider>/": Page(FINANCE, FORM, PAYS),
    "payroll/files/<int:kept>/": Page(FINANCE, STEP, PAYS),
    "payroll/answers/<int:answer>/": Page(FINANCE, needs=PAYS),
    "payroll/answers/<int:answer>/apply/": Page(FINANCE, STEP, PAYS),
    "payroll/differences/<int:difference>/": Page(FINANCE, STEP, PAYS),
    "payouts/<int:pk>/paid/": Page(FINANCE, STEP, (*READ, Can.BATCH_PAY)),
    **dict.fromkeys(
        (
            "adjustments/",
            "holds/",
            "differences/",
            "side-letters/",
            "relief/",
            "reviews/",
            "debts/",
            "holds/<int:pk>/",
            "relief/<int:pk>/",
            "reviews/<int:pk>/",
            "caps/<int:pk>/",
            "below-zero/<int:pk>/",
        ),
        Page(FINANCE | {"Lena"}, needs=READ),
    ),
    **dict.fromkeys(
        (
            "adjustments/new/",
            "adjustments/upload/",
            "holds/new/",
            "side-letters/new/",
            "relief/new/",
            "reviews/new/<int:why>/",
        ),
        Page(FINANCE, FORM, (*READ, Can.BATCH_SUBMIT)),
    ),
    **dict.fromkeys(
        ("debts/new/", "below-zero/new/<int:participant>/", "caps/new/<int:settled>/"),
        Page(FINANCE, FORM, (*READ, Can.BATCH_SUBMIT), (302,)),
    ),
    **dict.fromkeys(
        ("adjustments/<int:pk>/withdraw/", "holds/<int:pk>/release/"), Page(FINANCE, STEP, (*READ, Can.BATCH_SUBMIT))
    ),
    **dict.fromkeys(
        (
            "adjustments/<int:pk>/decide/",
            "adjustments/files/<int:file>/",
            "side-letters/<int:pk>/decide/",
            "relief/<int:pk>/decide/",
            "reviews/<int:pk>/decide/",
            "caps/<int:pk>/decide/",
            "below-zero/<int:pk>/decide/",
        ),
        Page(FINANCE, STEP, (*READ, Can.BATCH_APPROVE)),
    ),
    "adjustments/limits/": Page(FINANCE, FORM, (*READ, Can.BATCH_APPROVE)),
    "differences/approve/": Page(FINANCE | {"Lena"}, FORM, READ, (302,)),
    "adjustments/<int:pk>/": own(ANNS),
    "adjustments/<int:pk>/attachment/": own(ANNS),
    "side-letters/<int:pk>/": own(ANNS),
    "cut-overs/<int:pk>/parallel/": Page(FINANCE | {"Lena"}, needs=READ),
    "cut-overs/<int:pk>/parallel/<int:row>/": Page(FINANCE | {"Lena"}, needs=READ),
    "cut-overs/<int:pk>/parallel/upload/": Page(FINANCE, FORM, (*READ, Can.BATCH_SUBMIT)),
    "cut-overs/<int:pk>/parallel/step/": Page(FINANCE, STEP, (*READ, Can.BATCH_SUBMIT)),
    "cut-overs/<int:pk>/parallel/<int:row>/explain/": Page(FINANCE, STEP, (*READ, Can.BATCH_SUBMIT)),
    "ledger/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/accounts/<slug:account>/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/postings/<int:number>/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/accruals/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/accruals/policy/": Page(FINANCE, STEP, (Can.LEDGER_READ, Can.BATCH_PAY)),
    "ledger/accruals/make/": Page(FINANCE, STEP, (Can.LEDGER_READ, Can.BATCH_PAY)),
    "ledger/accruals/<day:month>/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/costs/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/costs/policy/": Page(FINANCE, STEP, (Can.LEDGER_READ, Can.BATCH_PAY)),
    "ledger/costs/make/": Page(FINANCE, STEP, (Can.LEDGER_READ, Can.BATCH_PAY)),
    "ledger/costs/<day:cohort>/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/contracts/<int:deal>/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/journals/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/journals/make/": Page(FINANCE, STEP, (Can.LEDGER_READ, Can.BATCH_PAY)),
    "ledger/journals/mapping/": Page(FINANCE, STEP, (Can.LEDGER_READ, Can.BATCH_PAY)),
    "ledger/journals/<int:number>/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/budgets/": Page(FINANCE, needs=(Can.LEDGER_READ,)),
    "ledger/budgets/set/": Page(FINANCE, STEP, (Can.LEDGER_READ, Can.BATCH_PAY)),
    "payouts/<int:pk>/evidence/": Page(OPS | FINANCE, FORM, (Can.AUDIT_READ, Can.PAY_ALL)),
    "payouts/<int:pk>/evidence/progress/": Page(OPS | FINANCE, needs=(Can.AUDIT_READ, Can.PAY_ALL)),
    "payouts/<int:pk>/evidence/<int:export>/": Page(OPS | FINANCE, needs=(Can.AUDIT_READ, Can.PAY_ALL)),
    "access/": Page(OPS | FINANCE | {"Ada"}, needs=(Can.AUDIT_READ,)),
    "erasures/": Page(OPS, needs=(Can.PEOPLE_EDIT,)),
    "erasures/retention/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "erasures/<int:pk>/agree/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "participants/<int:pk>/erase/": Page(OPS, FORM, (Can.PEOPLE_EDIT,)),
    "jobs/": Page(READERS, needs=(Can.PLAN_READ,)),
    "jobs/progress/": Page(READERS, needs=(Can.PLAN_READ,)),
    "jobs/start/": Page(OPS, STEP, (Can.PLAN_PUBLISH,)),
    "jobs/<int:pk>/leave/": Page(OPS, STEP, (Can.PLAN_PUBLISH,)),
    "issues/": Page(OPS, needs=(Can.DATA_FIX,)),
    "issues/<int:issue>/": Page(OPS, needs=(Can.DATA_FIX,)),
    "issues/<int:issue>/resolve/": Page(OPS, STEP, (Can.DATA_FIX,)),
    "deliveries/": Page(OPS, needs=(Can.DATA_FIX,)),
    "uploads/": Page(OPS, FORM, (Can.DATA_FIX,)),
    "uploads/<int:upload>/": Page(OPS, needs=(Can.DATA_FIX,)),
    "uploads/<int:upload>/match/": Page(OPS, STEP, (Can.DATA_FIX,)),
    "uploads/<int:upload>/take/": Page(OPS, STEP, (Can.DATA_FIX,)),
    "uploads/<int:upload>/progress/": Page(OPS, needs=(Can.DATA_FIX,)),
    "uploads/<int:upload>/to-correct/": Page(OPS, needs=(Can.DATA_FIX,)),
    "endpoints/": Page(OPS | {"Ada"}, needs=(Can.ENDPOINT_EDIT,)),
    "endpoints/new/": Page(OPS | {"Ada"}, FORM, (Can.ENDPOINT_EDIT,)),
    "endpoints/<int:endpoint>/": Page(OPS | {"Ada"}, FORM, (Can.ENDPOINT_EDIT,)),
    "endpoints/<int:endpoint>/secret/": Page(OPS | {"Ada"}, STEP, (Can.ENDPOINT_EDIT,)),
    "endpoints/<int:endpoint>/mapping/": Page(OPS | {"Ada"}, FORM, (Can.ENDPOINT_EDIT,)),
    "endpoints/<int:endpoint>/progress/": Page(OPS | {"Ada"}, needs=(Can.ENDPOINT_EDIT,)),
    "plans/": Page(READERS, needs=(Can.PLAN_READ,)),
    "new-plan/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "plans/templates/": Page(OPS, needs=(Can.PLAN_EDIT,)),
    "plans/templates/<slug:template_key>/": Page(OPS, needs=(Can.PLAN_EDIT,)),
    "plans/<slug:key>/": Page(READERS, needs=(Can.PLAN_READ,)),
    "plans/<slug:key>/import/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "plans/<slug:key>/versions/<int:number>/": Page(READERS, needs=(Can.PLAN_READ,)),
    "plans/<slug:key>/versions/<int:number>/edit/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "plans/<slug:key>/versions/<int:number>/preview/": Page(OPS, STEP, (Can.PLAN_EDIT,)),
    "plans/<slug:key>/versions/<int:number>/export/": Page(READERS, needs=(Can.PLAN_READ,)),
    "plans/<slug:key>/versions/<int:number>/publish/": Page(OPS, FORM, (Can.PLAN_PUBLISH,)),
    "plans/<slug:key>/versions/<int:number>/against/<int:other>/": Page(READERS, needs=(Can.PLAN_READ,)),
    "people/": Page(READERS, needs=(Can.PEOPLE_READ,)),
    "territories/": Page(OPS, FORM, (Can.PEOPLE_EDIT,)),
    "territories/<int:pk>/": Page(OPS, needs=(Can.PEOPLE_EDIT,)),
    "territories/<int:pk>/apply/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "roster/": Page(OPS, FORM, (Can.PEOPLE_EDIT,)),
    "roster/<int:pk>/": Page(OPS, needs=(Can.PEOPLE_EDIT,)),
    "roster/<int:pk>/apply/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "people/assign/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "people/assignments/<int:pk>/end/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "quotas/": Page(READERS, needs=(Can.PLAN_READ,)),
    "quotas/new/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "quotas/<int:pk>/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "participants/<int:pk>/": Page(READERS, needs=(Can.PEOPLE_READ,)),
    "participants/<int:pk>/attribute/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "participants/<int:pk>/away/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "participants/<int:pk>/leave/<int:leave>/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "calendars/": Page(READERS, needs=(Can.PEOPLE_READ,)),
    "calendars/<int:pk>/": Page(READERS, needs=(Can.PEOPLE_READ,)),
    "calendars/<int:pk>/add/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "calendars/<int:pk>/holidays/<int:holiday>/remove/": Page(OPS, STEP, (Can.PEOPLE_EDIT,)),
    "rates/": Page(READERS, needs=(Can.PLAN_READ,)),
    "rates/new/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "rates/upload/": Page(OPS, FORM, (Can.PLAN_EDIT,)),
    "rates/<int:pk>/": Page(READERS, needs=(Can.PLAN_READ,)),
    "rates/<int:pk>/change/": Page(OPS, STEP, (Can.PLAN_EDIT,)),
    "keys/": Page(OPS | FINANCE | {"Ada"}, needs=(Can.KEY_EDIT,)),
    "keys/new/": Page(OPS | FINANCE | {"Ada"}, FORM, (Can.KEY_EDIT,)),
    "keys/<int:pk>/end/": Page(OPS | FINANCE | {"Ada"}, STEP, (Can.KEY_EDIT,)),
    "webhooks/": Page(OPS | FINANCE | {"Ada"}, needs=(Can.KEY_EDIT,)),
    "webhooks/new/": Page(OPS | FINANCE | {"Ada"}, FORM, (Can.KEY_EDIT,)),
    "webhooks/<int:pk>/": Page(OPS | FINANCE | {"Ada"}, needs=(Can.KEY_EDIT,)),
    "webhooks/<int:pk>/rotate/": Page(OPS | FINANCE | {"Ada"}, STEP, (Can.KEY_EDIT,)),
    "webhooks/<int:pk>/end/": Page(OPS | FINANCE | {"Ada"}, STEP, (Can.KEY_EDIT,)),
    "webhooks/<int:pk>/again/<int:message>/": Page(OPS | FINANCE | {"Ada"}, STEP, (Can.KEY_EDIT,)),
    "audit/": Page(OPS | FINANCE | {"Ada"}, needs=(Can.AUDIT_READ,)),
}

#: The administration: the models in it, who reads them there, and its pages for each.
ADMINISTRATORS = {"Olga", "Ada"}
ADMIN_MODELS = {
    "tenancy/membership": {"Ada"},
    **dict.fromkeys(
        (f"people/{name}" for name in ("paycalendar", "paygroup", "creditrole", "team", "territory", "participant",
                                       "position", "reportingline", "leave")), ADMINISTRATORS),
    **dict.fromkeys((f"plans/{name}" for name in ("plan", "planversion", "planassignment", "quota")), ADMINISTRATORS),
}  # fmt: skip
ADMIN_PAGES = {"", "add/", "^([^/]+)/history/([^/]+)/$"} | {
    f"<path:object_id>/{page}" for page in ("", "history/", "delete/", "change/")
}
ADMIN_SITE = {
    "", "search/", "login/", "logout/", "password_change/", "password_change/done/", "autocomplete/", "jsi18n/",
    "r/<path:content_type_id>/<path:object_id>/", "^(?P<app_label>tenancy|people|plans)/$", "(?P<url>.*)$",
}  # fmt: skip

#: django-allauth's own pages: of one's own log-in, no company's data.
ACCOUNTS = {
    "login/", "logout/", "inactive/", "signup/", "reauthenticate/", "email/", "confirm-email/", "password/change/",
    "password/set/", "password/reset/", "login/code/confirm/", "^confirm-email/(?P<key>[-:\\w]+)/$",
    "password/reset/key/done/", "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", "password/reset/done/",
    "2fa/", "2fa/authenticate/", "2fa/reauthenticate/", "2fa/totp/activate/", "2fa/totp/deactivate/",
    "2fa/recovery-codes/", "2fa/recovery-codes/generate/", "2fa/recovery-codes/download/",
}  # fmt: skip

BELOW = "t/<slug:tenant>/"
METHODS = ("GET", "POST", "PUT", "DELETE")


def routes(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, before + str(pattern.pattern))
        else:
            yield before + str(pattern.pattern), pattern


def test_every_address_is_listed() -> None:
    listed = {f"{BELOW}{path}" for path in PAGES} | {"", "choose/", "health/"}
    listed |= {"hooks/<slug:token>/", "hooks/<slug:token>/<path:rest>", "api/openapi.json"}
    listed |= {f"accounts/{path}" for path in ACCOUNTS} | {f"admin/{path}" for path in ADMIN_SITE}
    listed |= {f"admin/{model}/{page}" for model in ADMIN_MODELS for page in ADMIN_PAGES}
    # Those of the API are walked with keys: test_a_key_reaches_its_own_company.py.
    found = {path for path, _ in routes() if not path.startswith("api/v1/")}
    # Only what keeps its states has a page for one of them.
    kept = {path for path in listed if path.startswith("admin/tenancy") and "^" in path}
    assert found - listed == set() and listed - found == kept


def test_every_view_states_what_it_needs() -> None:
    for path, pattern in routes():
        if path.startswith(BELOW):
            page = PAGES[path.removeprefix(BELOW)]
            assert pattern.callback.needs == frozenset(page.needs), path
            can = {name: frozenset().union(*(CAPABILITIES[role] for role in roles)) for name, roles in VISITORS.items()}
            # The table's people and the capabilities of their roles agree, whoever changes either.
            able = {name for name in MEMBERS if can[name] >= frozenset(page.needs)}
            assert page.opens <= able and (not page.needs or able == page.opens | page.hides), path


# ------------------------------------------------------------------ two companies, and what is secret in them


@dataclass
class Side:
    """One company: its ids for the addresses, its people, and whose secrets are what."""

    world: World
    ids: dict[str, Any] = field(default_factory=dict)
    pay: dict[str, set[str]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)


@dataclass
class Sides:
    acme: Side
    rival: Side
    clients: dict[str, Client] = field(default_factory=dict)

    def forbidden(self, visitor: str) -> set[str]:
        """What no answer to this visitor may hold."""
        if visitor == "stranger":
            return self.acme.secrets | set().union(*self.acme.pay.values())
        theirs = self.rival.secrets | set().union(*self.rival.pay.values())
        if visitor in ANNS - {"Ann"}:
            return theirs
        colleagues = set().union(*(words for name, words in self.acme.pay.items() if name != visitor))
        return theirs | (colleagues - self.acme.pay.get(visitor, set()))


def words(minor: int) -> set[str]:
    """An amount as pages, files and data write it."""
    major, rest = divmod(minor, 100)
    return {f"{major:,}.{rest:02}", f"{major}.{rest:02}", str(minor)}


def uploaded(customer: str) -> int:
    """A file with a customer's name in it, by its id."""
    endpoint, _ = endpoint_create(key="files", name="Files", adapter="file")
    with TemporaryFile() as file:
        file.write(f"Deal,Account\nD1,{customer}\n".encode())
        return upload_add(endpoint=endpoint, event="deal.won", name="deals.csv", file=file, made_by=None).pk


def closed(world: World, deal: Deal) -> None:
    """A month is accrued in which nobody earned, a cost of the deal stands, and there is a journal."""
    fay, ann = world.users["Fay"], world.people["Ann"]
    accrue(month=CLOSED, made_by=fay)
    run = costs_run(month=CLOSED, made_by=fay)
    CostLine.objects.create(
        run=run, plan=Plan.objects.get(key="account-executive"), component="c", deal=deal,
        participant=ann, pay_group=ann.pay_group, currency="USD", starts_on=CLOSED, months=12,
        capitalised_minor=12_00, amortised_minor=1_00, impaired_minor=0,
    )  # fmt: skip
    Journal.objects.create(
        number=1, through=CLOSED, made_by=fay, postings=0, lines=0, totals={"USD": 0}, digest="0" * 64
    )


def side(slug: str, amounts: dict[str, str], customer: str) -> Side:
    """A company that sells, with one deal each of Ann's and Bob's of amounts that nobody else has."""
    world = selling(slug)
    company = world.company
    for name in VISITORS.keys() - world.users.keys():
        for role in VISITORS[name]:
            world.users[name] = member(company, role, name)
    with company.scope(world.users["Olga"]):
        person(company, "Cleo", user=world.users["Cleo"])
        away = leave_set(participant=world.people["Bob"], starts_on=date(2027, 1, 4), ends_on=date(2027, 1, 9))
        holiday = holiday_set(calendar=company.calendar, day=date(2027, 1, 1), name="New Year")
        account_create(key="secret", name=customer)
        upload = uploaded(customer)
        rate = rate_set(source="SEK", target="USD", kind="spot", starts_on=date(2026, 1, 1), rate="0.1")
        plans.plan_create(key=f"only-{slug}", name=f"Plan for {customer}")
        text = library("account-executive")
        draft = plans.version_draft(
            plan=PlanVersion.objects.get(plan__key="account-executive").plan, text=text, starts_on=date(2027, 6, 1),
            note="Next", prepared_by=world.users["Olga"],
        )  # fmt: skip
    for name, amount in amounts.items():
        world.won(f"{slug}-{name}", "2026-11-16", amount, owner=name.lower(), account=customer)
        world.milestone(f"{slug}-{name}", "signature", "2026-11-16")
    world.won(f"{slug}-odd", "2026-11-17", "1.00", owner="nobody-known")
    world.work()
    with company.scope(world.users["Olga"]):
        key, _ = key_create(
            name=customer, grants=["people:read"], made_by=world.users["Olga"],
            expires_at=datetime.now(UTC) + timedelta(days=9),
        )  # fmt: skip
        listens, _ = webhook_create(
            name=customer, url="https://example.com/hook", topics=["plan.published"], made_by=world.users["Olga"]
        )
        tell("plan.published", [{"plan": customer}])
        message = WebhookMessage.objects.get()
    batch = world.submit(NOVEMBER)
    built = Side(world, secrets={customer})
    with company.scope():
        check = BatchCheck.objects.filter(batch=batch, owner_role=Role.FINANCE).first()
        assert check is not None
        check_do(check=check, done_by=world.users["Fay"], file=BytesIO(customer.encode()), file_name="proof.txt")
        for name in ("Ann", "Bob", "Mia"):
            who = world.people[name]
            told = set()
            for earning in Earning.objects.filter(participant=who, deal__external_id__startswith=slug):
                told |= words(earning.earned_minor) if earning.earned_minor >= 1_000_00 else set()
            told |= words(Statement.objects.get(participant=who, period_starts_on=NOVEMBER).payout_minor)
            built.pay[name] = told
            assert len(told) >= 3, f"{name} has no pay to hide"
        users, chain = world.users, {"name": "Finance", "role": "finance", "needed": 1}
        asked = rule_add(name=customer, starts_on=NOVEMBER, stages=[chain], made_by=users["Ada"])
        stand_in = deputy_add(
            person=users["Fay"], deputy=users["Lena"], starts_on=NOVEMBER + timedelta(days=60), ends_on=None,
            reason=customer,
        )  # fmt: skip
        rule = {"role": "ae", "account": "secret", "participant": "ann", "from": "2027-01-01"}
        rules, _ = alignment_store(name="rules.csv", rows=[(2, rule)], by=world.users["Olga"])
        assert rules is not None
        file = roster_store(name="hr.csv", text="employee\nann\n", by=world.users["Olga"])
        deal = Deal.objects.get(external_id=f"{slug}-Ann")
        handed = deal_transfer(
            deal=deal, role="ae", giver=world.people["Ann"], receiver=world.people["Mia"], day=NOVEMBER,
            reason="Mia takes over", by=world.users["Olga"],
        )  # fmt: skip
        fay = world.users["Fay"]
        run = PayrollRun.objects.get()
        provider = provider_set(key="bank", name=customer, shape="bank", settings={}, by=fay)
        says = answer_read(
            run=run, provider=None, name=f"{customer}.csv", text="employee,amount\nann,1.23\n", rest_paid=True, by=fay
        )
        answer_apply(answer=says, by=fay)
        anew = Cause.objects.create(kind=Cause.Kind.JOB, label=f"Anew for {customer}")
        job = RecomputeJob.objects.create(cause=anew, people=1)
        line = Earning.objects.filter(participant=world.people["Ann"], deal=deal).latest("earned_minor")
        proof = EvidenceExport.objects.create(
            batch_id=batch.pk, pay_group_id=batch.pay_group_id, seed=f"{customer}", samples=1, steps=1, state="done",
            asked_by=world.users["Fay"], done_at=datetime(2026, 11, 19, tzinfo=UTC), body=b"PK",
        )  # fmt: skip
        leaver = person(company, f"Leaver of {customer}")
        gone = Erasure.objects.create(
            participant=leaver, pseudonym=f"Person of {customer}", reason="Asked", asked_by=world.users["Fay"]
        )
        taken = LargeStep.objects.create(
            step="lock", pay_group_id=batch.pay_group_id, starts_on=NOVEMBER, name=customer, people=1, lines=1,
            asked_by=world.users["Fay"], ended_at=datetime(2026, 11, 19, tzinfo=UTC), refused=customer,
        )  # fmt: skip
        built.ids = {
            "step": taken.pk, "erasures": gone.pk, "export": proof.pk,
            "period": NOVEMBER.isoformat(), "participant": world.people["Ann"].pk, "deal": deal.pk,
            "delivery": deal.revision.delivery_id, "endpoint": world.crm.endpoint.pk,
            "issue": DataIssue.objects.get(kind="owner").pk, "group": "sales",
            "key": "account-executive", "number": 1, "other": draft.number, "why": line.pk,
            "payouts": Batch.objects.get(pk=batch.pk).pk, "quotas": Quota.objects.first().pk, "jobs": job.pk,
            "people": PlanAssignment.objects.first().pk, "only": f"only-{slug}", "template_key": "spiff",
            "keys": key.pk, "upload": upload, "roster": file.pk, "rates": rate.pk,
            "participants": world.people["Bob"].pk, "leave": away.pk, "calendars": company.calendar.pk,
            "holiday": holiday.pk, "webhooks": listens.pk, "message": message.pk, "transfer": handed.pk,
            "territories": rules.pk, "check": check.pk, "item": check.item_id, "provider": provider.pk,
            "payment": Payment.objects.get(participant=world.people["Ann"]).pk, "answer": says.pk,
            "kept": PayrollFile.objects.get().pk, "difference": AnswerRow.objects.exclude(difference="").get().pk,
            **by_hand(world), **switching(world), "approval-rules": asked.pk, "deputy": stand_in.pk,
            "account": "expense", "month": CLOSED.isoformat(), "cohort": CLOSED.isoformat(),
        }  # fmt: skip
        closed(world, deal)
    return built


def by_hand(world: World) -> dict[str, int]:
    """One of each thing that people decide about Ann's pay, agreed to by a second person where others look at it."""
    ann, fay, cleo = world.people["Ann"], world.users["Fay"], world.users["Cleo"]
    plan, day, proof = Plan.objects.get(key="account-executive"), date(2026, 12, 1), File("why.txt", b"Agreed.")
    wanted = Wanted(ann, plan, 5_00, "USD", day, "A bonus that was promised")
    file = file_take(rows=[(wanted, proof)], name="one.csv", digest="f" * 64, by=fay)
    row = Adjustment.objects.get(file=file)
    file_decide(file=file, state=State.APPROVED, decided_by=cleo, reason="")
    dates: dict[str, Any] = {"participant": ann, "starts_on": day, "ends_on": date(2027, 1, 1), "prepared_by": fay}
    letter = letter_prepare(**dates, plan=plan, text="Agreed", attachment=proof, reason="Moved", monthly_minor=5_00)
    letter_decide(letter=letter, state=State.APPROVED, decided_by=cleo)
    key = Quota.objects.filter(participant=ann)[0].key
    eased = relief_prepare(**dates, key=key, percent=Decimal(1), reason="Moved")
    line = Earning.objects.filter(participant=ann)[0]
    review = WindfallReview.objects.create(
        **{name: getattr(line, name) for name in LINE_KEY}, pay_group=ann.pay_group, amount_minor=1, currency="USD",
        accept=False, reason="None", prepared_by=fay,
    )  # fmt: skip
    arriving = pay_group_create(
        key="arriving", name="Arriving", calendar=ann.pay_group.calendar, opens_on=date(2027, 1, 1)
    )
    switch = cutover_prepare(pay_group=arriving, source="Before", day=date(2027, 1, 1), by=fay)
    brought = OpeningFile.objects.create(
        cut_over=switch, kind="openings", name="openings.csv", digest="e" * 64, rows=0, totals={}, uploaded_by=fay
    )
    held = hold_place(reason="Look at it", by=fay, participant=Participant.objects.get(name="Cleo"))
    common = {"participant": ann, "pay_group": ann.pay_group, "period_starts_on": NOVEMBER, "currency": "USD"}
    asked = {**common, "amount_minor": 1, "reason": "None", "prepared_by": fay}
    below, above = (
        NegativeDecision.objects.create(**asked, way="carry"),
        SettlementReview.objects.create(**asked, plan=plan, pay_minor=0),
    )
    amounts = [field.attname for field in BatchSettlement._meta.concrete_fields if field.attname.endswith("_minor")]
    settled = BatchSettlement.objects.create(
        **common, plan=plan, plan_version=line.plan_version, batch=Batch.objects.filter(pay_group=ann.pay_group)[0],
        **dict.fromkeys(amounts, 0),
    )  # fmt: skip
    ids = {
        "cut-overs": switch.pk,
        "brought": brought.pk,
        "below-zero": below.pk,
        "caps": above.pk,
        "settled": settled.pk,
    }
    ids |= {"adjustments": row.pk, "file": file.pk, "side-letters": letter.pk, "relief": eased.pk}
    return ids | {"holds": held.pk, "reviews": review.pk}


def switching(world: World) -> dict[str, int]:
    """A pay group that arrives from another system, and a statement of it that is tied out."""
    group = pay_group_create(key="partners", name="Partners", calendar=world.company.calendar, opens_on=NOVEMBER)
    fay = world.users["Fay"]
    switch = CutOver.objects.create(pay_group=group, source="Xactly", day=NOVEMBER, prepared_by=fay)
    row = TieOut.objects.create(
        cut_over=switch, person="old-1", pay_group=group, period_starts_on=CLOSED, currency="USD", theirs_minor=5_00,
        ours_minor=0, rest_minor=0, causes={"stranger": -5_00},
    )  # fmt: skip
    return {"cut-overs": switch.pk, "row": row.pk}


@pytest.fixture(scope="module")
def sides(shared_database: TestDatabase) -> Iterator[Sides]:
    clock = SimpleNamespace(now=lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("comp.people.selectors.timezone", clock)  # the companies' day, as in tests/pages/rep
        patch.setattr("comp.outbox.services.bells.is_first", lambda tenant_id, queue: False)  # no worker listens
        acme = side("acme", {"Ann": "24681.00", "Bob": "13579.00"}, "Quiet Water Holding")
        rival = side("rival", {"Ann": "28653.00", "Bob": "17931.00"}, "Still River Holding")
        built = Sides(acme, rival)
        assert not set().union(*acme.pay.values()) & set().union(*rival.pay.values()), "nobody's pay tells whose it is"
        users: dict[str, User] = {**acme.world.users, "stranger": rival.world.users["Fay"]}
        for visitor in VISITORS:
            built.clients[visitor] = client = Client(raise_request_exception=False)
            if visitor != "anonymous":
                client.force_login(users[visitor], "django.contrib.auth.backends.ModelBackend")
                client.get("/t/rival/" if visitor == "stranger" else "/t/acme/")
        yield built


# ------------------------------------------------------------------ the walk


#: Named by what is the same in all companies: a day (foreign only with a participant beside it), a template.
SHARED = (["period"], ["template_key"], ["account"], ["month"], ["cohort"])


@dataclass(frozen=True)
class Ask:
    path: str
    method: str = "GET"
    company: str = "acme"  # whose address
    foreign: bool = False  # with ids of the other company's

    @property
    def named(self) -> list[str]:
        return re.findall(r"<\w+:(\w+)>", self.path)


BELOW_ASKS = [
    Ask(path, method, company, foreign)
    for path in PAGES
    for method in METHODS
    for company in ("acme", "rival")
    for foreign in ((False, True) if "<" in path else (False,))
]


def address(sides: Sides, ask: Ask) -> str:
    here, other = (sides.acme, sides.rival) if ask.company == "acme" else (sides.rival, sides.acme)
    ids = dict((other if ask.foreign else here).ids)
    room = ask.path.split("/")[0]
    ids["pk"] = ids.get(room)
    if ask.foreign:
        ids["key"] = ids["group"] = ids["only"]
        ids["number"] = 999  # numbers are each company's own
    filled = re.sub(r"<\w+:(\w+)>", lambda match: str(ids[match[1]]), ask.path)
    return f"/t/{ask.company}/{filled}"


def expected(visitor: str, ask: Ask) -> set[int]:
    page = PAGES[ask.path]
    if visitor == "anonymous":
        return {302}
    home = "rival" if visitor == "stranger" else "acme"
    role = "Fay" if visitor == "stranger" else visitor
    if ask.company != home or visitor == "Max":
        return {404}
    if page.needs and role not in page.opens | page.hides:
        return {403}
    if ask.method not in page.methods.split():
        return {405}
    if role not in page.opens or (ask.foreign and ask.named not in SHARED):
        return {404}
    return set(page.answers) if ask.method == "GET" else set(POSTED)


def answer(client: Client, method: str, url: str) -> Any:
    """What a request is answered; what it wrote is taken back."""
    if method == "GET":
        return client.get(url)
    with transaction.atomic():
        said = client.generic(method, url, content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    return said


def leaks(said: Any, forbidden: set[str]) -> set[str]:
    text = said.content.decode(errors="replace") + str(said.headers)
    return {secret for secret in forbidden if secret in text}


def test_the_walk_is_long_enough() -> None:
    assert len(BELOW_ASKS) * len(VISITORS) >= 5_000


@pytest.mark.parametrize("visitor", VISITORS)
def test_each_visitor_opens_what_is_theirs_and_nothing_else(sides: Sides, visitor: str) -> None:
    client, forbidden = sides.clients[visitor], sides.forbidden(visitor)
    wrong = []
    for ask in BELOW_ASKS:
        url = address(sides, ask)
        said = answer(client, ask.method, url)
        if said.status_code not in expected(visitor, ask):
            wrong.append(f"{ask.method} {url}: {said.status_code}, not {expected(visitor, ask)}")
        if leaked := leaks(said, forbidden):
            wrong.append(f"{ask.method} {url}: tells {leaked}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("visitor", VISITORS)
def test_the_administration_is_for_editors_of_their_company(sides: Sides, visitor: str) -> None:
    client, forbidden = sides.clients[visitor], sides.forbidden(visitor)
    wrong = []
    for model, readers in ADMIN_MODELS.items():
        for page in sorted(ADMIN_PAGES):
            for foreign in (False, True) if "object_id" in page else (False,):
                found = (sides.rival if foreign else sides.acme).ids
                row = {"participant": found["participant"], "quota": found["quotas"]}.get(
                    model.split("/")[1], found["people"]
                )
                url = f"/admin/{model}/" + page.replace("<path:object_id>", str(row)).replace("^([^/]+)", "1").replace(
                    "([^/]+)/$", "1/"
                )
                for method in ("GET", "POST") if visitor in ADMINISTRATORS else ("GET",):
                    said = answer(client, method, url)
                    if visitor not in ADMINISTRATORS:
                        able = {302}
                    elif method == "GET" and not page:
                        able = {200} if visitor in readers else {403}
                    else:
                        able = {200, 302, 403, 404} if visitor in readers else {302, 403, 404}
                    if said.status_code not in able:
                        wrong.append(f"{method} {url}: {said.status_code}, not {able}")
                    if leaked := leaks(said, forbidden):
                        wrong.append(f"{method} {url}: tells {leaked}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("visitor", VISITORS)
def test_pages_of_nobodys_tell_nothing(sides: Sides, visitor: str) -> None:
    """The front door, health, the hook's door, one's own account, the administration's frame."""
    client, forbidden = sides.clients[visitor], sides.forbidden(visitor)
    token = sides.rival.world.crm.endpoint.token
    signed_in = visitor != "anonymous"
    fixed = {
        "/": {302},
        "/choose/": {200} if signed_in else {302},
        "/health/": {200},
        f"/hooks/{token}/": {405},
        "/hooks/unknown/": {405},
    }
    accounts = [re.sub(r"\^|\$|\(\?P<\w+>[^)]*\)", "", path) for path in ACCOUNTS - {"logout/"}]
    admin = [re.sub(r"\^|\$|<[^>]+>", "", path) for path in ADMIN_SITE if "(?P" not in path]
    asked = {**fixed, **{f"/accounts/{path}": {200, 302, 403, 404, 405} for path in accounts}}
    asked |= {f"/admin/{path}": {200, 302, 403, 404, 405} for path in [*admin, "people/", "tenancy/", "nowhere/"]}
    wrong = []
    for url, statuses in asked.items():
        said = client.get(url)
        if said.status_code not in statuses:
            wrong.append(f"GET {url}: {said.status_code}, not {statuses}")
        if leaked := leaks(said, forbidden):
            wrong.append(f"GET {url}: tells {leaked}")
    for url in (f"/hooks/{token}/", "/hooks/unknown/"):
        said = answer(client, "POST", url)
        if said.status_code not in {400, 401, 404} or leaks(said, forbidden):
            wrong.append(f"POST {url}: {said.status_code}")
    assert not wrong, "\n".join(wrong)
