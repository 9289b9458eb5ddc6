"""What a large file says by the quick way is what it says row by row: the same rows are stored, the same is told and
asked."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from comp.outbox.models import Message
from crediting.intake import files as reading
from crediting.intake.rows import Rows
from crediting.models import DataIssue, Deal, DealRevision, DealTeam, RawDelivery, UploadPart
from crediting.services import uploads
from crediting.services.catalogue import account_create
from tests.factories import Company, company
from tests.intake.sending import catalogue
from tests.intake.test_files_become_facts import Files

HEADER = "Deal,Stage,Rep,Product,Customer,Amount,Currency,Engaged,Closed,Region,List price,Colour\n"
COLUMNS = dict(
    zip(
        HEADER.strip().split(","),
        (
            *("deal", "stage", "owner", "product", "account", "amount", "currency", "engage_date", "close_date"),
            *("region", "list_price", "custom.colour"),
        ),
        strict=True,
    )
)
FORMS = {"date_form": "YYYY-MM-DD", "decimal_form": "1,234.5"}
#: What is taken as it comes, then what is odd.
CELLS: list[tuple[list[str], list[str]]] = [
    (["Won", "Closed Won", "engaged"], ["lost in space!", "", "prospecting"]),
    (["ann", "Bob", "bob"], ["nobody", "", " ann ", "ann\x07"]),
    (["gtx-pro", "GTX Pro"], ["flux", ""]),
    (["acme", "Zürich & Söhne"], ["unknown ltd", "", " acme"]),
    (["1,054.10", "0", "12", "99999.99"], ["", "x", "-5", "1.005", "1,05.1", "9999999999999999999", "00.1", "1e3"]),
    (["USD", "usd"], ["EUR", "QQQ", ""]),
    (["2026-01-10", "2026-02-01", ""], ["2026-02-30", "1850-01-01"]),
    (["2026-03-01", "2026-03-31", ""], ["soon"]),
    (["", "west"], ["x" * 121]),
    (["", "10.00"], ["10.001"]),
    (["", "red", "12", "Ünïted", "=1+1"], [" green", "y" * 1001]),
]


def lines(rng: random.Random, number: int, deals: int) -> list[list[str]]:
    """Rows of some deals, one in four of them with something odd."""
    found = []
    for _ in range(number):
        odd = rng.randrange(len(CELLS)) if rng.random() < 0.25 else -1
        cells = [rng.choice(strange if place == odd else plain) for place, (plain, strange) in enumerate(CELLS)]
        found.append([f"{rng.choice(('D', 'Ð '))}{rng.randrange(deals)}", *cells])
    return found


def text_of(rows: list[list[str]]) -> str:
    return HEADER + "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_read_as_one_by_one(seed: int) -> None:
    """What is known of one row's texts is what reading the next anew would find."""
    header = HEADER.strip().split(",")
    mapping = reading.document(
        "deal.updated",
        COLUMNS,
        date_form="YYYY-MM-DD",
        decimal_form="1,234.5",
        currency="USD",
        stages=["Won", "engaged"],
    )
    rows = Rows(mapping, header, "UTC")
    taught = 0
    for line, cells in enumerate(lines(random.Random(seed), 800, 10_000)):
        one_by_one = reading.said(mapping, header, line, cells, "UTC")
        assert rows.said(line, cells) == one_by_one, cells
        taught += rows._known(line, cells) is not None
    assert taught > 300
    cells = ["D1", "Won", "ann", "gtx-pro", "acme", "12", "USD", "", "2026-04-02", "", "10.00", "z" * 900]
    assert isinstance(rows.said(801, cells), reading.Said)
    assert "2026-04-02" in rows.known["close_date"] and cells[-1] not in rows.known["custom.colour"], "a long text"


def ways(of: Company) -> Files:
    with of.scope():
        catalogue(of)
        account_create(key="zs", name="Zürich & Söhne", sector="retail")
    return Files(of)


def stands(of: Company) -> dict[str, Any]:
    """All that a file left, by names and not by numbers."""
    with of.scope():
        what = (
            *("external_id", "version", "sender_id", "stage", "amount_minor", "currency", "close_date", "engage_date"),
            *("product__key", "account__key", "territory", "values", "custom", "aligned"),
        )
        told = [
            {k: change[k] for k in ("kind", "label", "dates")} | {"people": len(change["participants"])}
            for message in Message.objects.filter(topic="facts.changed").order_by("id")
            for change in message.payload["changes"]
        ]
        return {
            "deliveries": list(
                RawDelivery.objects.exclude(parent=None)
                .order_by("parent_id", "place")
                .values_list("place", "sender_id", "state", "attempts", "error", "waits_for", "headers", "folded")
            ),
            "bodies": [
                (json.loads(bytes(one.body))["data"], one.processed_at is not None)
                for one in RawDelivery.objects.exclude(parent=None).order_by("parent_id", "place")
            ],
            "revisions": sorted(
                (*row[:-3], len(row[-3]), row[-2], row[-1])
                for row in map(repr_row, DealRevision.objects.values_list(*what, "team", "lines", "derived"))
            ),
            "deals": sorted(map(repr_row, Deal.objects.values_list(*what, "revisions"))),
            "team": sorted(
                map(
                    repr_row,
                    DealTeam.objects.values_list(
                        "deal__external_id", "close_date", "place", "role", "participant__key", "weight"
                    ),
                )
            ),
            "asked": sorted(DataIssue.objects.values_list("kind", "value", "message", "waiting", "state")),
            "told": sorted(map(repr, told)),
        }


def repr_row(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(map(repr, row))


def test_both_ways_lead_to_the_same(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three files of the same deals, mixed at random: new, corrected, said twice, contradictory, unknown."""
    rng = random.Random(5)
    contents = [text_of(lines(rng, 90, 60)) for _ in range(3)]
    together: list[int] = []
    store = uploads.firsts_store

    def counted(rows: list[Any], **to: Any) -> Any:
        together.append(len(rows))
        return store(rows, **to)

    monkeypatch.setattr(uploads, "firsts_store", counted)
    found: list[dict[str, Any]] = []
    checked: list[Any] = []
    for slug in ("together", "one-by-one"):
        if slug == "one-by-one":
            monkeypatch.setattr(uploads, "firsts_of", lambda endpoint, rows: [])
            monkeypatch.setattr(Rows, "_known", lambda self, line, cells: None)
        monkeypatch.setattr(uploads, "PART", 25)
        place = ways(company(slug))
        seen: list[Any] = []
        for content in contents:
            upload = place.add(content, "deal.updated")
            with place.company.scope():
                uploads.upload_match(upload=upload, columns=COLUMNS, **FORMS)
            upload = place.drained(upload)
            seen.append(
                (place.bad(upload), {**upload.counts, "people": len(upload.counts["people"])}, upload.questions)
            )
            upload = place.take(upload)
            assert upload.state == "taken", upload.counts
            with place.company.scope():
                assert not RawDelivery.objects.filter(state="pending").exists()
                seen.append([part.rows for part in UploadPart.objects.filter(upload=upload).order_by("place")])
        checked.append(seen)
        found.append(stands(place.company))
    assert sum(together) > 20
    assert checked[0] == checked[1]
    for name, rows in found[0].items():
        assert rows == found[1][name], name
    assert {row[2] for row in found[0]["deliveries"]} == {"done", "waiting"}
    assert len(found[0]["deals"]) > 30 and len(found[0]["revisions"]) > len(found[0]["deals"])
