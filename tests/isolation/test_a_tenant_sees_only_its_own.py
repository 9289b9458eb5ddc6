"""Two companies with the same people and the same data in every table: each statement, as the role that web and
workers connect as, reaches the rows of its own company only, and without a company none at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Count, Max
from django.utils import timezone
from psycopg2 import errors

from comp.local.postgres import SUPERUSER
from comp.people.models import Participant, Team
from comp.tenancy.models import Membership
from comp.tenancy.scope import Actor, NoTenant, Pay, as_user, current_scope, current_tenant_id, tenant_scope
from comp.tenancy.walls import AppendOnly, TenantReference
from crediting.models import RawDelivery
from payouts.models import Dispute
from tests.database import TestDatabase
from tests.isolation.filler import Filler, is_history, owned
from tests.isolation.statements import copied, insert, refused, sql

TABLES = owned()
REFERENCES = [(model, c) for model in TABLES for c in model._meta.constraints if isinstance(c, TenantReference)]

Behind = dict[str, dict[int, list[dict[str, Any]]]]
Model = type[models.Model]
each_table = pytest.mark.parametrize("model", TABLES, ids=lambda model: model._meta.db_table)


@pytest.fixture(scope="module")
def companies(shared_database: TestDatabase) -> tuple[Filler, Filler]:
    """Ours and theirs."""
    ours, theirs = Filler("ours"), Filler("theirs")
    ours.fill()
    theirs.fill()
    return ours, theirs


@pytest.fixture(scope="module")
def behind(shared_database: TestDatabase, companies: tuple[Filler, Filler]) -> Behind:
    """What stands behind the walls: every row of every table, by table and tenant, as the superuser sees it."""
    found: Behind = {}
    with closing(shared_database.connect(SUPERUSER)) as superuser, superuser.cursor() as cursor:
        for model in TABLES:
            table = model._meta.db_table
            cursor.execute(f'SELECT tenant_id, to_jsonb(t) FROM "{table}" t')
            for tenant, row in cursor.fetchall():
                found.setdefault(table, {}).setdefault(tenant, []).append(row)
    return found


@pytest.fixture(params=["by participant", "by pay group"])
def inside(request: pytest.FixtureRequest, companies: tuple[Filler, Filler]) -> Iterator[Filler]:
    """Our company's scope, all its pay visible, as comp_app and as comp_pay; rolled back."""
    ours, theirs = companies
    pay = Pay.everyone()
    if request.param == "by participant":
        with ours.scope():
            pay = Pay.of(Participant.objects.values_list("id", flat=True))
        with theirs.scope():  # even a list that names theirs must not help
            pay = Pay.of([*pay.participants, *Participant.objects.values_list("id", flat=True)])
    with ours.scope(pay):
        yield ours
        transaction.set_rollback(True)


def test_every_table_holds_rows_of_both(companies: Any, behind: Any) -> None:
    ours, theirs = companies
    assert {m for m in TABLES if not is_history(m)} == set(ours.rows)
    for model in TABLES:
        rows = behind.get(model._meta.db_table, {})
        assert rows.get(ours.tenant.pk) and rows.get(theirs.tenant.pk), f"{model._meta.label} has no row to hide"
    assert any(is_history(m) for m in TABLES)


# ------------------------------------------------------------------ reading


@each_table
def test_no_way_of_reading_reaches_a_row_of_theirs(model: Model, inside: Filler, companies: Any, behind: Any) -> None:
    table, them = model._meta.db_table, companies[1].tenant.pk
    own, foreign = (behind[table][company.tenant.pk] for company in companies)
    key = model._meta.pk.attname
    keys = [row[model._meta.pk.column] for row in foreign]
    # The wall's own work: no filter, then filters that ask for theirs by name.
    assert sql(f'SELECT tenant_id FROM "{table}"') == [(inside.tenant.pk,)] * len(own)
    assert sql(f'SELECT count(*), max(tenant_id), min(tenant_id) FROM "{table}"') == [
        (len(own), inside.tenant.pk, inside.tenant.pk)
    ]
    assert sql(f'SELECT count(*) FROM "{table}" WHERE tenant_id = %s', them) == [(0,)]
    assert sql(f'SELECT EXISTS (SELECT FROM "{table}" WHERE "{model._meta.pk.column}" = ANY(%s))', keys) == [(False,)]
    assert sql(f'SELECT 1 FROM "{table}" a FULL JOIN "{table}" b USING (tenant_id) WHERE tenant_id = %s', them) == []
    assert sql(f'SELECT tenant_id FROM "{table}" UNION SELECT tenant_id FROM "{table}"') == [(inside.tenant.pk,)]
    for statement in (f'COPY "{table}" (tenant_id) TO STDOUT', f'COPY (SELECT tenant_id FROM "{table}") TO STDOUT'):
        assert copied(statement) == [str(inside.tenant.pk)] * len(own)
    # The same through the ORM.
    rows = model._base_manager
    assert set(rows.values_list("tenant_id", flat=True)) == {inside.tenant.pk}
    assert rows.count() == len(own) and rows.aggregate(n=Count("pk"), t=Max("tenant_id"))["t"] == inside.tenant.pk
    assert not rows.filter(tenant_id=them).exists() and not rows.filter(**{f"{key}__in": keys}).exists()
    assert rows.in_bulk(keys) == {}
    assert {row.tenant_id for row in rows.raw(f'SELECT * FROM "{table}"')} == {inside.tenant.pk}


# ------------------------------------------------------------------ writing


@each_table
def test_a_row_of_theirs_is_neither_written_nor_changed(
    model: Model, inside: Filler, companies: Any, behind: Any
) -> None:
    table, them = model._meta.db_table, companies[1].tenant.pk
    own, foreign = (behind[table][company.tenant.pk] for company in companies)
    with refused(errors.InsufficientPrivilege, "row-level security"):
        insert(table, foreign[0])
    # By the wall, because nobody may change the table, or by the batches' own trigger, which comes first.
    with refused((errors.InsufficientPrivilege, errors.CheckViolation)):
        sql(f'UPDATE "{table}" SET tenant_id = %s', them)
    changeable = not any(isinstance(c, AppendOnly) for c in model._meta.constraints)
    if changeable:
        changed = sql(f'UPDATE "{table}" SET tenant_id = tenant_id RETURNING tenant_id')
        assert changed == [(inside.tenant.pk,)] * len(own)
        assert model._base_manager.filter(tenant_id=them).update(tenant_id=inside.tenant.pk) == 0
    else:
        with refused(errors.InsufficientPrivilege, "permission denied"):
            sql(f'UPDATE "{table}" SET tenant_id = tenant_id')
    try:
        with transaction.atomic():
            removed = sql(f'DELETE FROM "{table}" RETURNING tenant_id')
    except DatabaseError as refusal:
        cause = refusal.__cause__
        assert isinstance(cause, (errors.InsufficientPrivilege, errors.ForeignKeyViolation, errors.CheckViolation))
    else:
        assert changeable and removed == [(inside.tenant.pk,)] * len(own)


@pytest.mark.parametrize(
    ("model", "reference"), REFERENCES, ids=lambda part: getattr(part, "name", None) or part._meta.db_table
)
def test_no_reference_points_at_a_row_of_theirs(model: Model, reference: TenantReference, companies: Any) -> None:
    ours, theirs = companies
    field = next(f for f in model._meta.concrete_fields if f.column == reference.column)
    foreign = theirs.rows[field.remote_field.model]
    if reference.name == "payouts_payment_reissue_of_id_in":
        # The trigger looks first: it finds no such payment.
        with ours.scope(), refused(errors.CheckViolation, "it is not what payment"):
            ours.row(model, reissue_of=foreign)
        return
    if model is Dispute and field.name in DECIDED_BY:
        with ours.scope(), refused(errors.ForeignKeyViolation) as refusal:  # a change is named by a decision alone
            decide(ours, **{field.name: foreign}, decision=DECIDED_BY[field.name])
        assert refusal[0].diag.constraint_name == reference.name
        return
    with ours.scope(), refused(errors.ForeignKeyViolation) as refusal:
        said = {f.name: ours.row(RawDelivery) for f in model._meta.concrete_fields if f.name == "delivery"}
        ours.row(model, **{**said, field.name: foreign})
    assert refusal[0].diag.constraint_name == reference.name


#: By what a dispute is decided, and the decision that names it.
DECIDED_BY = {"by_adjustment": "adjustment", "by_deal": "data_fix", "by_fact": "split", "by_version": "plan_fix"}


def decide(ours: Filler, **said: Any) -> None:
    """A dispute that somebody takes and decides, by nothing but statements."""
    row = Dispute.objects.filter(pk=ours.row(Dispute).pk)
    now, user = timezone.now(), ours.user
    row.update(state="in_review", owner=user, taken_at=now, promised_on=now.date())
    revision = 1 if said.keys() & {"by_deal", "by_fact"} else None
    words = {"decided_by": user, "decided_at": now, "decision_words": "So", "after_minor": 1}
    row.update(state="decided", by_revision=revision, **words, **said)


def test_every_reference_was_tried() -> None:
    assert len(REFERENCES) > 30


# ------------------------------------------------------------------ no tenant


@each_table
@pytest.mark.parametrize("role", ["comp_app", "comp_pay"])
def test_without_a_tenant_every_statement_raises(model: Model, role: str, companies: Any, behind: Any) -> None:
    """Also in an empty table and where no row would match: an error, never an answer of nothing."""
    table, row = model._meta.db_table, behind[model._meta.db_table][companies[1].tenant.pk][0]
    rows = model._base_manager
    attempts: list[Callable[[], Any]] = [
        lambda: sql(f'SELECT 1 FROM "{table}"'),
        lambda: sql(f'SELECT count(*) FROM "{table}"'),
        lambda: sql(f'SELECT EXISTS (SELECT FROM "{table}" WHERE tenant_id = %s)', row["tenant_id"]),
        lambda: sql(f'SELECT 1 FROM "{table}" WHERE tenant_id = -1'),
        lambda: copied(f'COPY "{table}" TO STDOUT'),
        lambda: insert(table, row),
        lambda: sql(f'UPDATE "{table}" SET tenant_id = tenant_id'),
        lambda: sql(f'DELETE FROM "{table}"'),
        lambda: list(rows.all()),
        rows.count,
        rows.exists,
        lambda: rows.aggregate(Max("pk")),
        lambda: rows.filter(pk=-1).update(tenant_id=1),
        lambda: rows.filter(pk=-1).delete(),
        lambda: rows.create(),
    ]
    for number, attempt in enumerate(attempts):
        with pytest.raises((DatabaseError, NoTenant)), transaction.atomic():
            sql(f"SET LOCAL ROLE {role}; SET LOCAL app.pay = '{{}}'; SET LOCAL app.pay_groups = '*'")
            pytest.fail(f"attempt {number} answered {attempt()!r}")


# ------------------------------------------------------------------ memberships, before the tenant is known


def test_memberships_are_seen_by_their_user_and_changed_by_their_company(companies: Any) -> None:
    ours, theirs = companies
    for company in companies:
        with company.scope():
            Membership.objects.get_or_create(tenant=company.tenant, user=company.user, role="finance")
            Membership.objects.get_or_create(tenant=company.tenant, user=ours.user, role="manager")
    assert list(Membership.objects.all()) == []
    with as_user(theirs.user.pk):
        assert {m.user_id for m in Membership.objects.all()} == {theirs.user.pk}
    with as_user(ours.user.pk):
        assert {m.tenant_id for m in Membership.objects.all()} == {ours.tenant.pk, theirs.tenant.pk}
        assert Membership.objects.all().delete()[0] == 0
        assert Membership.objects.update(role="administrator") == 0
        with refused(DatabaseError):
            Membership.objects.create(tenant=ours.tenant, user=ours.user, role="administrator")
    # Somebody of ours, who is also one of theirs, acts in ours.
    with tenant_scope(ours.tenant.pk, actor=Actor("user", "both", user_id=ours.user.pk)):
        with refused(errors.InsufficientPrivilege):
            Membership.objects.create(tenant=theirs.tenant, user=ours.user, role="administrator")
        with refused(errors.InsufficientPrivilege):
            Membership.objects.filter(tenant=ours.tenant).update(tenant=theirs.tenant)
        changed = sql("UPDATE tenancy_membership SET role = role RETURNING tenant_id")
        assert set(changed) == {(ours.tenant.pk,)}
        assert set(sql("DELETE FROM tenancy_membership RETURNING tenant_id")) == {(ours.tenant.pk,)}


# ------------------------------------------------------------------ scopes begin and end


def settings() -> tuple[str, ...]:
    names = ("app.tenant", "app.actor", "app.user_id", "app.pay", "app.pay_groups")
    columns = ", ".join(f"current_setting('{name}', true)" for name in names)
    return sql(f"SELECT current_user::text, {columns}")[0]


def test_an_inner_scope_ends_and_the_outer_one_stands(companies: Any) -> None:
    ours, theirs = companies
    with tenant_scope(ours.tenant.pk, actor=Actor("user", "Ann", user_id=7), pay=Pay.of([3])) as outer:
        before = settings()
        assert before == ("comp_app", str(ours.tenant.pk), "user:Ann", "7", "{3}", "{}")
        with theirs.scope():
            assert settings()[:2] == ("comp_pay", str(theirs.tenant.pk))
            assert set(Team.objects.values_list("tenant_id", flat=True)) == {theirs.tenant.pk}
        assert settings() == before and current_scope() is outer
        with pytest.raises(LookupError), theirs.scope():
            raise LookupError
        assert settings() == before and current_scope() is outer
        with pytest.raises(DatabaseError), theirs.scope():
            sql("SELECT 1 / 0")
        assert settings() == before and current_scope() is outer
        with theirs.scope():
            transaction.set_rollback(True)
        assert settings() == before and current_scope() is outer
        assert set(Team.objects.values_list("tenant_id", flat=True)) == {ours.tenant.pk}


@pytest.mark.parametrize("ending", ["commit", "rollback", "exception", "error"])
def test_nothing_is_left_when_the_transaction_is_over(ending: str, companies: Any) -> None:
    try:
        with companies[0].scope():
            if ending == "rollback":
                transaction.set_rollback(True)
            if ending == "exception":
                raise LookupError
            if ending == "error":
                sql("SELECT 1 / 0")
    except (LookupError, DatabaseError):
        pass
    assert settings() == ("comp_app", "", "", "", "", "")
    with pytest.raises(NoTenant):
        current_tenant_id()
    for attempt in (Team.objects.count, lambda: sql("SELECT 1 FROM people_team")):
        with pytest.raises(DatabaseError):
            attempt()


def test_what_runs_outside_the_transaction_has_no_tenant(companies: Any) -> None:
    """Callbacks after the commit, threads, and querysets that are read too late."""
    told: list[BaseException | None] = []

    def count() -> None:
        try:
            Team.objects.count()
        except DatabaseError as refusal:
            told.append(refusal)
        finally:
            connection.close() if threading.current_thread() is not threading.main_thread() else None

    with companies[0].scope():
        late = Team.objects.all()
        transaction.on_commit(count)
        thread = threading.Thread(target=count)
        thread.start()
        thread.join()
        assert len(told) == 1
    assert len(told) == 2
    with pytest.raises(DatabaseError):
        list(late)
