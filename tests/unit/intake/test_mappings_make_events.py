"""Records of the sources and rows of files, through their mappings, into Comp's own facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crediting.intake.facts import AccountFact, DealFact, Event, Member
from crediting.intake.mapping import Record, apply, check, owners_of, parts_of, read_mapping
from crediting.intake.mapping.readings import READINGS
from crediting.intake.source import Change, Value
from crediting.intake.sources import SOURCES, default_mapping
from tests.unit.intake.calls import SAMPLES, at, said, sample

BERLIN = "Europe/Berlin"
ROW = """
format: comp/mapping/1
records:
  - object: row
    when: [{field: Typ, in: [Auftrag, Angebot]}, {field: Storno, missing: true}]
    event: deal.updated
    fields:
      deal: {from: [Auftrag Nr, Nr]}
      stage: {from: Status, values: {gewonnen: won, offen: engaged}, otherwise: {value: prospecting}}
      owner: {from: Verkäufer, values: {Ann B.: ann}, otherwise: keep}
      product: {constant: gtx-pro}
      account: {from: Kunde}
      amount: {from: Betrag, form: "1.234,5"}
      currency: {from: Währung, as: currency}
      engage_date: {constant: null}
      close_date: {from: Datum, form: DD.MM.YYYY, missing: empty}
      custom.margin: {from: Marge, as: decimal, form: "1.234,5", missing: empty}
      custom.new: {from: Neu, as: boolean, missing: empty}
    team:
      - {role: {constant: se}, person: {from: Team, missing: empty}, split: ";"}
"""
GERMAN = {
    **{"Typ": "Auftrag", "Auftrag Nr": "A-1", "Status": "gewonnen", "Verkäufer": "Ann B.", "Kunde": "acme"},
    **{"Betrag": "1.054,50", "Währung": "eur", "Datum": "1.3.2026", "Marge": "0,310", "Neu": "yes"},
    "Team": "bob; cara",
}


def folded(changes: Iterable[Change]) -> dict[tuple[str, str], Record]:
    """Records as they stand after changes, of each field the latest."""
    found: dict[tuple[str, str], Record] = {}
    for change in sorted(changes, key=lambda one: (one.version, one.at)):
        known = found.get((change.object, change.id))
        values = {} if known is None or change.whole else dict(known.values)
        count = 1 if known is None else known.version + 1
        values.update(change.values)
        found[change.object, change.id] = Record(change.object, change.id, values, change.at, count, change.gone)
    return found


def made(record: Record, document: Mapping[str, Any], zone: str = "UTC") -> Event:
    found = apply(document, record, zone=zone)
    assert isinstance(found, Event), found
    return found


def asked(record: Record, document: Mapping[str, Any], zone: str = "UTC") -> dict[str, str]:
    found = apply(document, record, zone=zone)
    assert isinstance(found, list), found
    return {problem.path: problem.found for problem in found}


def default(name: str) -> Mapping[str, Any]:
    found = default_mapping(name)
    assert found is not None
    return found


def row(**values: Value) -> Record:
    return Record("row", "7", {**GERMAN, **values}, at("2026-03-02T08:00:00"), 1)


#: Those that speak in words of their own.
MAPPED = ("hubspot", "salesforce", "stripe", "segment")


@pytest.mark.parametrize("name", MAPPED)
def test_the_mapping_that_a_source_comes_with_has_nothing_wrong(name: str) -> None:
    assert check(default(name)) == []
    assert json.loads(json.dumps(default(name))) == default(name), "it can be kept as JSON"


def test_the_mapping_that_the_docs_teach_has_nothing_wrong() -> None:
    page = (SAMPLES.parents[1] / "docs" / "sources" / "mapping.md").read_text()
    assert check(read_mapping(page.split("```yaml\n")[1].split("```")[0])) == []
    for name in READINGS:
        assert f"`{name}`" in page, name


def test_hubspots_deal_is_folded_and_made_a_won_deal() -> None:
    records = folded(said(SOURCES["hubspot"], sample("hubspot/batch.json")))
    deal = records["deal", "19043876521"]
    assert asked(deal, default("hubspot")) == {"currency": "nothing"}, "a missing currency is a question"
    event = made(replace(deal, values={**deal.values, "deal_currency_code": "usd"}), default("hubspot"), BERLIN)
    assert (event.type, event.version, event.at) == ("deal.updated", 6, at("2026-03-01T10:01:04"))
    fact = event.fact
    assert isinstance(fact, DealFact)
    assert (fact.deal, fact.stage, fact.amount_minor, fact.currency) == ("19043876521", "won", 105400, "USD")
    assert (fact.account, fact.team[0].person, fact.product) == ("8812457006", "61204418", "")
    assert (fact.engage_date, fact.close_date) == (None, date(2026, 3, 1))


def test_a_stage_that_the_mapping_does_not_know_is_asked() -> None:
    records = folded(said(SOURCES["hubspot"], sample("hubspot/batch.json")))
    deal = records["deal", "19043876521"]
    values = {**deal.values, "dealstage": "2851914", "deal_currency_code": "USD"}
    assert asked(replace(deal, values=values), default("hubspot")) == {"stage": '"2851914"'}


def test_a_deal_that_is_deleted_is_lost_and_one_of_which_nothing_is_known_says_nothing() -> None:
    records = folded(said(SOURCES["salesforce"], sample("salesforce/outbound.xml")))
    deal = records["Opportunity", "0065e00000LtQXyAAN"]
    event = made(replace(deal, gone=True), default("salesforce"))
    assert event.type == "deal.lost"
    assert isinstance(event.fact, DealFact)
    assert event.fact.stage == "lost"
    assert apply(default("salesforce"), replace(deal, gone=True, values={}), zone="UTC") is None


def test_salesforces_amounts_are_exact_with_and_without_an_exponent() -> None:
    records = folded(said(SOURCES["salesforce"], sample("salesforce/outbound.xml")))
    amounts = []
    for record in records.values():
        fact = made(record, default("salesforce")).fact
        assert isinstance(fact, DealFact)
        amounts.append((fact.stage, fact.amount_minor, fact.close_date))
    assert amounts == [("won", 105400, date(2026, 3, 1)), ("engaged", 1234567800, date(2026, 6, 30))]


def test_an_associated_company_that_is_taken_off_is_no_account_any_more() -> None:
    records = folded(said(SOURCES["hubspot"], sample("hubspot/batch.json")))
    deal = records["deal", "19043876521"]
    values = {**deal.values, "deal_currency_code": "USD", "association.company.8812457006": False}
    fact = made(replace(deal, values=values), default("hubspot")).fact
    assert isinstance(fact, DealFact)
    assert fact.account == ""


def test_splits_that_are_records_of_their_own_stand_on_their_deal() -> None:
    document = default("salesforce")
    records = folded(said(SOURCES["salesforce"], sample("salesforce/outbound.xml")))
    deal = records["Opportunity", "0065e00000LtQXyAAN"]

    def split(number: str, owner: str, share: str, **more: Value) -> Record:
        values = {"OpportunityId": deal.id, "SplitOwnerId": owner, "SplitPercentage": share, **more}
        return Record("OpportunitySplit", number, values, deal.at, 1)

    two, one = split("b", "bob", "33.33"), split("a", "ann", "66.67")
    others = [split("c", "cat", "10", OpportunityId="other"), replace(split("d", "dan", "10"), gone=True)]
    found = apply(document, deal, zone="UTC", related=[two, *others, one])
    assert isinstance(found, Event)
    assert isinstance(found.fact, DealFact)
    assert found.fact.team == (Member("ae", "ann", 666700), Member("ae", "bob", 333300))
    assert owners_of(document, two) == [("Opportunity", deal.id)]
    assert owners_of(document, deal) == []
    expected = [("OpportunityLineItem", "OpportunityId"), ("OpportunitySplit", "OpportunityId")]
    assert parts_of(document, "Opportunity") == expected
    asked = apply(document, deal, zone="UTC", related=[split("e", "eve", "a third")])
    assert isinstance(asked, list)
    assert asked[0].path == "team[0].e.weight"


def test_segments_group_is_an_account() -> None:
    record = folded(said(SOURCES["segment"], sample("segment/group.json")))["group", "acme"]
    fact = made(record, default("segment")).fact
    assert fact == AccountFact("acme", "Acme", "retail", "United States")


def test_a_row_of_a_file_is_read_by_the_same_language() -> None:
    document = read_mapping(ROW)
    assert check(document) == []
    fact = made(row(), document, BERLIN).fact
    assert isinstance(fact, DealFact)
    assert (fact.deal, fact.stage, fact.amount_minor, fact.currency) == ("A-1", "won", 105450, "EUR")
    assert (fact.product, fact.engage_date, fact.close_date) == ("gtx-pro", None, date(2026, 3, 1))
    assert [(member.role, member.person) for member in fact.team] == [("ae", "ann"), ("se", "bob"), ("se", "cara")]
    assert fact.custom == (("margin", "0.31"), ("new", True))


def test_conditions_choose_the_records_and_the_rest_is_no_fact() -> None:
    document = read_mapping(ROW)
    assert apply(document, row(Typ="Rechnung"), zone="UTC") is None
    assert apply(document, row(Storno="x"), zone="UTC") is None
    assert apply(document, replace(row(), object="other"), zone="UTC") is None
    assert made(row(Storno=""), document)


def test_what_is_missing_or_unreadable_is_asked_all_at_once() -> None:
    document = read_mapping(ROW)
    record = row(Kunde=None, Betrag="1.054.5", Währung="EURO", Datum="31.2.2026", **{"Auftrag Nr": " ", "Nr": ""})
    assert asked(record, document) == {
        "deal": "nothing",
        "account": "nothing",
        "amount": '"1.054.5" in Betrag',
        "currency": '"EURO" in Währung',
        "close_date": '"31.2.2026" in Datum',
    }


def test_a_value_that_no_event_may_have_is_told_with_its_field() -> None:
    document = read_mapping(ROW)
    (problem,) = apply(document, row(Betrag="1.054,505"), zone="UTC") or []
    assert (problem.path, problem.found) == ("amount", "1054.505")
    assert problem.message.endswith("(from Betrag)")


def test_other_values_are_kept_or_replaced_as_stated() -> None:
    fact = made(row(Status="neu", Verkäufer="dan"), read_mapping(ROW)).fact
    assert isinstance(fact, DealFact)
    assert (fact.stage, fact.team[0].person) == ("prospecting", "dan")


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("as: decimal", "1054.00", 1054),
        ("as: decimal", "-0.50", "-0.5"),
        ("as: decimal", "1,054.00", None),
        ("as: decimal", "1e3", None),
        ("as: decimal", "1_000", None),
        ("as: decimal", "١٢", None),
        ("as: decimal", "NaN", None),
        ("as: decimal, form: '1,234.5'", "1,054,000.10", "1054000.1"),
        ("as: decimal, form: '1,234.5'", "1054.1", "1054.1"),
        ("as: decimal, form: '1,234.5'", "10,54.1", None),
        ("as: decimal, form: '1 234,5'", "1 054,5", "1054.5"),
        ("as: exponent", "1.2345678E7", 12345678),
        ("as: exponent", "1.0E-2", "0.01"),
        ("as: exponent", "1E99", None),
        ("as: exponent", "Infinity", None),
        ("as: minor, currency: cur", "105400", 1054),
        ("as: minor, currency: cur", "5", "0.05"),
        ("as: minor, currency: cur", "-5", "-0.05"),
        ("as: minor, currency: cur", "5.5", None),
        ("as: minor, currency: yen", "105400", 105400),
        ("as: minor, currency: isk, digits: {ISK: '2'}", "50000", 500),
        ("as: minor, currency: dinar", "5124", "5.124"),
        ("as: minor, currency: nothing", "5", None),
        ("as: number", "412.0", 412),
        ("as: number", "-1", None),
        ("as: date", "2026-03-01", "2026-03-01"),
        ("as: date", "2026-02-30", None),
        ("as: date, form: MM/DD/YYYY", "3/1/2026", "2026-03-01"),
        ("as: date, form: DD/MM/YYYY", "3/1/2026", "2026-01-03"),
        ("as: moment", "2026-02-28T23:30:00Z", "2026-03-01"),
        ("as: moment, zone: UTC", "2026-02-28T23:30:00Z", "2026-02-28"),
        ("as: moment", "2026-02-28T23:30:00.000+0000", "2026-03-01"),
        ("as: moment", "2026-02-28T23:30:00", None),
        ("as: epoch_s", "1772321400", "2026-03-01"),
        ("as: epoch_ms", "1772321400000", "2026-03-01"),
        ("as: epoch_ms, zone: UTC", "1772321400000", "2026-02-28"),
        ("as: epoch_ms", "9" * 18, None),
        ("as: boolean", "TRUE", True),
        ("as: boolean", "0", False),
        ("as: boolean", "maybe", None),
        ("as: currency", "usd", "USD"),
        ("as: currency", "zzz", None),
        ("as: text", " spaced ", "spaced"),
    ],
)
def test_each_reading_is_exact_and_strict(rule: str, text: str, expected: object) -> None:
    document = read_mapping(
        ROW.replace("custom.new: {from: Neu, as: boolean, missing: empty}", f"custom.x: {{from: X, {rule}}}")
    )
    assert check(document) == []
    found = apply(document, row(X=text, cur="usd", yen="JPY", isk="isk", dinar="kwd"), zone=BERLIN)
    if expected is None:
        assert isinstance(found, list)
        assert [problem.path for problem in found] == ["custom.x"]
    else:
        assert isinstance(found, Event), found
        assert isinstance(found.fact, DealFact)
        value = dict(found.fact.custom)["x"]
        assert (value.strip() if isinstance(value, str) else value) == expected
        assert type(value) is type(expected)


BROKEN = [
    ("format", "format: comp/mapping/2\nrecords: [{}]"),
    ("records", "format: comp/mapping/1"),
    ("records", "format: comp/mapping/1\nrecords: []"),
    ("more", ROW + "more: 1\n"),
    ("records[0]", "format: comp/mapping/1\nrecords: [x]"),
    ("records[0].object", ROW.replace("object: row", "object: ''")),
    ("records[0].event", ROW.replace("event: deal.updated", "event: deal.wished")),
    ("records[0].event", ROW.replace("event: deal.updated", "event: {from: Typ}")),
    (
        "records[0].event",
        ROW.replace("event: deal.updated", "event: {from: Typ, values: {a: deal.updated}, otherwise: keep}"),
    ),
    ("records[0].gone", ROW.replace("event: deal.updated", "event: deal.updated\n    gone: away")),
    ("records[0].fields.deal", ROW.replace("deal: {from: [Auftrag Nr, Nr]}", "territory: {from: x}")),
    ("records[0].fields.used", ROW.replace("custom.new:", "used:")),
    ("records[0].fields.custom.New", ROW.replace("custom.new:", "custom.New:")),
    ("records[0].fields.account", ROW.replace("account: {from: Kunde}", "account: {}")),
    ("records[0].fields.account", ROW.replace("account: {from: Kunde}", "account: {from: Kunde, constant: x}")),
    ("records[0].fields.account.from", ROW.replace("account: {from: Kunde}", "account: {from: []}")),
    (
        "records[0].fields.account.form",
        ROW.replace("account: {from: Kunde}", "account: {from: Kunde, form: DD.MM.YYYY}"),
    ),
    (
        "records[0].fields.account.missing",
        ROW.replace("account: {from: Kunde}", "account: {from: Kunde, missing: zero}"),
    ),
    ("records[0].fields.account.else", ROW.replace("account: {from: Kunde}", "account: {from: Kunde, else: x}")),
    (
        "records[0].fields.account.otherwise",
        ROW.replace("account: {from: Kunde}", "account: {from: Kunde, otherwise: keep}"),
    ),
    ("records[0].fields.amount.as", ROW.replace('form: "1.234,5"}\n      currency', "as: date}\n      currency")),
    (
        "records[0].fields.amount.form",
        ROW.replace('form: "1.234,5"}\n      currency', "form: DD.MM.YYYY}\n      currency"),
    ),
    (
        "records[0].fields.amount.currency",
        ROW.replace('form: "1.234,5"}\n      currency', "as: minor}\n      currency"),
    ),
    ("records[0].fields.engage_date.constant", ROW.replace("constant: null", "constant: soon")),
    ("records[0].fields.stage.values", ROW.replace("{gewonnen: won, offen: engaged}", "{}")),
    ("records[0].fields.stage.otherwise.value", ROW.replace("{value: prospecting}", "{value: ''}")),
    ("records[0].when[0]", ROW.replace("in: [Auftrag, Angebot]", "in: [a], is: b")),
    ("records[0].when[0].in", ROW.replace("in: [Auftrag, Angebot]", "in: a")),
    ("records[0].when[1].missing", ROW.replace("missing: true", "missing: maybe")),
    (
        "records[0].team",
        "format: comp/mapping/1\nrecords: [{object: row, event: hours.worked, fields: {}}]",
    ),
    ("records[0].team[0].person", ROW.replace("person: {from: Team, missing: empty}, ", "")),
]


@pytest.mark.parametrize(("path", "text"), BROKEN, ids=lambda value: value if len(value) < 60 else "")
def test_each_mistake_is_told_with_its_place(path: str, text: str) -> None:
    assert path in {problem.path for problem in check(read_mapping(text))}


def test_all_mistakes_are_told_at_once() -> None:
    text = (
        ROW.replace("from: Kunde", "from: ''")
        .replace("constant: gtx-pro", "constant: ''")
        .replace("as: currency", "as: x")
    )
    assert {problem.path.rpartition(".fields.")[2] for problem in check(read_mapping(text))} == {
        "account.from",
        "product.constant",
        "currency.as",
    }


ANY = st.none() | st.booleans() | st.text(max_size=30) | st.from_regex(r"-?[0-9]{0,20}([.,eE:T/-][0-9]{1,4}){0,4}Z?")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_record_raises(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*MAPPED, "row"]))
    document = read_mapping(ROW) if name == "row" else default(name)
    rules = data.draw(st.sampled_from(document["records"]))
    names = sorted({one for one in named(rules) if not one.startswith("$")})
    values = {one: data.draw(ANY) for one in names}
    values.update({one["field"]: one["is"] for one in rules.get("when", ()) if "is" in one})
    record = Record(
        rules["object"], data.draw(st.text(max_size=30)), values, at("2026-03-01T10:00:00"), 3, data.draw(st.booleans())
    )
    found = apply(document, record, zone=BERLIN)
    assert found is None or isinstance(found, Event) or (isinstance(found, list) and found)


def named(value: object) -> Iterable[str]:
    """All source fields that a mapping names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("from", "field", "currency") and isinstance(inner, str | list):
                yield from [inner] if isinstance(inner, str) else inner
            else:
                yield from named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["format", "records", "object", "when", "event", "fields", "from", "values", "deal", "as", "team"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=25,
    )
)
def test_no_document_raises(document: object) -> None:
    assert check(document) != []
