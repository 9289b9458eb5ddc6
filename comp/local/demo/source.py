"""The CRM's own files, read as they are written: their flaws stay."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent / "crm_sales_opportunities"
#: The day on which the export was made: the last day that occurs in it. It becomes today.
LAST_DAY = date(2017, 12, 31)


@dataclass(frozen=True, slots=True)
class Opportunity:
    """One row of the pipeline, its dates moved. `stage` is Prospecting, Engaging, Won or Lost; amounts are text."""

    id: str
    agent: str
    product: str
    account: str
    stage: str
    engaged: date | None
    closed: date | None
    amount: str


@dataclass(frozen=True, slots=True)
class Agent:
    name: str
    manager: str
    office: str


def opportunities(today: date) -> list[Opportunity]:
    """The whole pipeline, moved so that its last day is `today`, in the order of the file."""
    shift = today - LAST_DAY
    return [
        Opportunity(
            id=row["opportunity_id"],
            agent=row["sales_agent"],
            product=row["product"],
            account=row["account"],
            stage=row["deal_stage"],
            engaged=_day(row["engage_date"], shift),
            closed=_day(row["close_date"], shift),
            amount=row["close_value"],
        )
        for row in _rows("sales_pipeline.csv")
    ]


def accounts() -> list[dict[str, str]]:
    """account, sector, office_location and what else the CRM says of its customers."""
    return _rows("accounts.csv")


def products() -> list[dict[str, str]]:
    """product, series, sales_price."""
    return _rows("products.csv")


def agents() -> list[Agent]:
    return [Agent(row["sales_agent"], row["manager"], row["regional_office"]) for row in _rows("sales_teams.csv")]


def _day(text: str, shift: timedelta) -> date | None:
    return date.fromisoformat(text) + shift if text else None


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))
