"""Who visits, and who may open which address by which methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from comp.tenancy.capabilities import Can, Role

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
    "disputes/": Page(OPS | FINANCE, needs=(Can.DISPUTE_HANDLE,)),
    "my-disputes/": Page(SELL, needs=(Can.PAY_OWN,)),
    "disputes/new/<int:why>/": own({"Ann", "Olga", "Fay", "Cleo"}, FORM),
    "disputes/new/<day:period>/<int:participant>/": own({"Ann", "Olga", "Fay", "Cleo"}, FORM),
    "disputes/<int:pk>/": own(ANNS),
    "disputes/<int:pk>/say/": own({"Ann", "Olga", "Fay", "Cleo"}, STEP),
    "disputes/<int:pk>/withdraw/": own({"Ann", "Olga", "Fay", "Cleo"}, STEP),
    "disputes/<int:pk>/take/": Page(OPS | FINANCE, STEP, (Can.DISPUTE_HANDLE,)),
    "disputes/<int:pk>/decide/": Page(OPS | FINANCE, STEP, (Can.DISPUTE_HANDLE,)),
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
    "downloads/": Page(FINANCE | {"Lena"}, needs=READ),
    "downloads/progress/": Page(FINANCE | {"Lena"}, needs=READ),
    "downloads/<int:download>/": Page(FINANCE | {"Lena"}, needs=READ),
    "payments/waiting/": Page(FINANCE | {"Lena"}, needs=READ),
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
    "calendars/<int:pk>/upload/": Page(OPS, FORM, (Can.PEOPLE_EDIT,)),
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
