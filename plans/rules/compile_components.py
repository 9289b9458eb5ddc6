"""One component of a checked document becomes frozen values. See plans.rules.compile."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from comp.core.days import day_number
from comp.core.money import minor_digits, parse_money
from plans.rules.about import READ_UNITS, About, by_period
from plans.rules.compiled import (
    Accelerator,
    Band,
    Bonus,
    Budget,
    Cap,
    Columns,
    Component,
    Condition,
    Counterpart,
    Dimension,
    Every,
    Gate,
    Kicker,
    Measure,
    Modifier,
    Modifiers,
    OwnPeriods,
    Part,
    PayCurve,
    Point,
    Pool,
    Ramp,
    Rank,
    Read,
    Reads,
    Scorecard,
    Table,
    Tier,
    Tiers,
    Unit,
)
from plans.rules.compiled_pay import After, Amortise, Clawback, Tranche
from plans.rules.conditions import compile_condition
from plans.rules.values import Document, read_date, read_number, read_percent, read_whole


def percent(text: str) -> Fraction:
    value = read_percent(text)
    assert value is not None, text
    return value


def number(text: Any) -> Fraction:
    value = read_number(text)
    assert value is not None, text
    return value


def day(text: str) -> int:
    value = read_date(text)
    assert value is not None, text
    return day_number(value)


class Maker:
    """Makes the components of one plan: what they share is its key, its currency and the types of its fields."""

    def __init__(self, plan: str, known: About) -> None:
        assert known.currency is not None
        self.plan = plan
        self.about = known
        self.currency: str = known.currency

    def component(self, row: Document) -> Component:
        """One component in normal form, of a document in which `check` found no error."""
        unit = self.about.unit(row) or "money"
        credit_unit = self.about.credit_unit(row)
        quota = row.get("quota")
        credits = row.get("credits", {})
        limits = row.get("limits", {})
        return Component(
            key=row["key"],
            name=row["name"],
            clause=row["clause"],
            kind=row["kind"],
            classes=tuple(credits.get("classes", ())),
            roles=tuple(credits.get("roles", ())),
            every=self._every(row["measure"]["every"]),
            quota=quota if isinstance(quota, str) else None,
            missing_quota=row.get("missing_quota"),
            zero_quota=row.get("zero_quota"),
            below_zero=row.get("below_zero"),
            tiers=self._tiers(row["tiers"]) if "tiers" in row else None,
            accelerator=self._accelerator(row.get("accelerator"), credit_unit),
            bonus=self._bonus(row["bonus"], credit_unit) if "bonus" in row else None,
            cap=self._cap(row["cap"]) if row.get("cap") is not None else None,
            release=tuple(_tranche(each) for each in row.get("release", ())),
            measure=self._measure(row["measure"], unit, by_period(row)),
            credit_unit=credit_unit,
            order=row.get("order", "credit_date"),
            quota_fixed=self._in_unit(quota["fixed"], unit) if isinstance(quota, dict) else None,
            when=self._condition(credits.get("when")),
            eligible=self._condition(row.get("eligible"), person=True),
            eligible_on=day(row["eligible_on"]) if "eligible_on" in row else None,
            reads=self._reads(row["reads"]) if "reads" in row else None,
            incentive=row.get("incentive"),
            # An outcome for an incentive that nothing names decides nothing.
            missing_incentive=row.get("missing_incentive") if row.get("incentive") is not None else None,
            ramp=_ramp(row["ramp"]) if "ramp" in row else None,
            table=self._table(row["table"]) if "table" in row else None,
            curve=self._curve(row["curve"], unit) if "curve" in row else None,
            scorecard=_scorecard(row["scorecard"]) if "scorecard" in row else None,
            pool=self._pool(row["pool"]) if "pool" in row else None,
            rank=self._rank(row["rank"]) if "rank" in row else None,
            modifiers=self._modifiers(row["modifiers"]) if "modifiers" in row else None,
            kickers=tuple(self._kicker(each) for each in row.get("kickers", ())),
            limit_attainment=percent(limits["attainment"]) if "attainment" in limits else None,
            limit_rate=percent(limits["rate"]) if "rate" in limits else None,
            counterpart=self._counterpart(row["counterpart"]) if "counterpart" in row else None,
            minimum=self._money(row["minimum"]["amount"]) if "minimum" in row else None,
            caps=tuple(self._cap(each) for each in row.get("caps", ())),
            budget=self._budget(row["budget"]) if "budget" in row else None,
            gates=tuple(self._gate(each) for each in row.get("gates", ())),
            release_rate=row.get("release_rate", "fixed"),
            clawback=_clawback(row["clawback"]) if "clawback" in row else None,
            amortise=_amortise(row["amortise"]) if "amortise" in row else None,
        )

    def _money(self, text: Any) -> int:
        return parse_money(text, self.currency)

    def _condition(self, condition: Document | None, *, person: bool = False) -> Condition | None:
        if condition is None:
            return None
        types = self.about.person_types if person else self.about.types
        return compile_condition(condition, types, self.currency)

    def _in_unit(self, text: Any, unit: Unit) -> Fraction:
        if unit == "share":
            return percent(text)
        return Fraction(self._money(text)) if unit == "money" else number(text)

    # ------------------------------------------------------------------ measures and reads

    def _measure(self, row: Document, unit: Unit, by_period: bool) -> Measure:
        return Measure(
            every=self._every(row["every"]),
            value=row.get("value", "sum"),
            window=row.get("window", "discrete"),
            periods=_whole(row.get("periods", 1)),
            of=row.get("of", "own"),
            by="period" if by_period else "credit",
            weight=row.get("weight"),
            part=self._condition(row.get("part")),
            from_field=row.get("from"),
            to_field=row.get("to"),
            first_day=row.get("first_day"),
            last_day=row.get("last_day"),
            empty=row.get("empty"),
            quota_basis=row.get("quota_basis"),
            per=tuple(row.get("per", ())),
            unit=unit,
        )

    def _every(self, name: Any) -> Every:
        if name not in self.about.periods:
            return name  # type: ignore[no-any-return]
        return OwnPeriods(name, tuple((day(row["first"]), day(row["last"]) + 1) for row in self.about.periods[name]))

    def _name(self, name: str) -> tuple[str, str]:
        plan, _, key = name.rpartition("/")
        return plan or self.plan, key

    def _read(self, row: Document) -> Read:
        plan, key = self._name(row["component"])
        return Read(plan, key, row["value"])

    def _read_value(self, text: Any, read: Document) -> Fraction:
        """A value in the unit of what is read. Of another plan: a share where a percent sign stands."""
        unit = self.about.read_unit(read)
        if unit == "money" and read["value"] == "result":
            return Fraction(self._money(text), 10 ** minor_digits(self.currency))
        if unit is None:
            share = read_percent(text)
            if share is not None:
                return share
            unit = "number" if read["value"] == "result" else READ_UNITS.get(read["value"], "money")
        return self._in_unit(text, unit)

    def _counterpart(self, row: Document) -> Counterpart:
        return Counterpart(*self._name(row["terms"]), percent(row["share"]), row["pays"], row["per"])

    def _reads(self, row: Document) -> Reads:
        names = tuple(self._name(name) for name in row["components"])
        return Reads(row["what"], row["of"], _whole(row["depth"]) if "depth" in row else None, names)

    # ------------------------------------------------------------------ rates

    def _tiers(self, row: Document) -> Tiers:
        axis, pays = row.get("axis", "attainment"), row.get("pays", "rate")
        key = {"rate": "rate", "times": "times", "per_unit": "per_unit"}[pays]
        columns = row.get("columns")
        tiers = []
        for each in row["rates"]:
            rates = tuple(self._rate(rate, pays) for rate in each["rates"]) if columns is not None else ()
            rate = rates[0] if rates else self._rate(each[key], pays)
            tiers.append(Tier(self._bound(each["from"], axis), rate, each.get("back"), rates))
        points = row.get("full_points")
        return Tiers(
            mode=row["mode"],
            attribution=row.get("attribution"),
            boundary=row["boundary"],
            rates=tuple(tiers),
            axis=axis,
            pays=pays,
            full_points=None if points is None else self._bound(points, axis),
            columns=self._columns(columns) if columns is not None else None,
        )

    def _bound(self, text: Any, axis: str) -> Fraction:
        if axis == "attainment":
            return percent(text)
        return Fraction(self._money(text)) if axis == "amount" else number(text)

    def _rate(self, text: Any, pays: str) -> Fraction:
        if pays == "rate":
            return percent(text)
        return Fraction(self._money(text)) if pays == "per_unit" else number(text)

    def _columns(self, row: Document) -> Columns:
        read = row["reads"]
        return Columns(self._read(read), row["boundary"], tuple(self._read_value(each, read) for each in row["from"]))

    def _table(self, row: Document, pays: str | None = None) -> Table:
        pays = pays or row["pays"]
        dimensions = tuple(self._dimension(each) for each in row["dimensions"])
        cells = _flat(row["cells"], len(dimensions))
        values = tuple(
            percent(cell) if pays == "rate" else Fraction(self._money(cell)) if pays == "amount" else number(cell)
            for cell in cells
        )
        return Table(pays, dimensions, values)  # type: ignore[arg-type]

    def _dimension(self, row: Document) -> Dimension:
        kind = self.about.person_types[row["field"]]
        assert kind != "boolean"
        if kind == "text":
            return Dimension(row["field"], kind, values=tuple(row["values"]), otherwise=row["else"])
        read = {"money": lambda text: Fraction(self._money(text)), "date": lambda text: Fraction(day(text))}
        starts = tuple(read.get(kind, number)(each) for each in row["from"])
        return Dimension(row["field"], kind, starts=starts, boundary=row["boundary"])

    def _curve(self, row: Document, unit: Unit) -> PayCurve:
        by_value = row["axis"] == "value"

        def at(text: Any) -> Fraction:
            return self._in_unit(text, unit) if by_value else percent(text)

        def pays(text: Any) -> Fraction:
            if row["pays"] == "share":
                return percent(text)
            return Fraction(self._money(text)) if row["pays"] == "amount" else number(text)

        return PayCurve(
            pays=row["pays"],
            axis=row["axis"],
            mode=row["mode"],
            boundary=row["boundary"],
            below=row.get("below"),
            beyond=row.get("beyond"),
            full_points=at(row["full_points"]) if "full_points" in row else None,
            points=tuple(Point(at(each["at"]), pays(each["pays"])) for each in row["points"]),
        )

    def _accelerator(self, row: Document | None, unit: Unit) -> Accelerator | None:
        if row is None:
            return None
        bands = tuple(Band(self._size(each["from"], unit), number(each["times"])) for each in row["bands"])
        return Accelerator(row["boundary"], bands)

    def _size(self, text: Any, unit: Unit) -> int:
        """The size of a fact: minor units, or millionths of its quantity."""
        return int(number(text) * 10**6) if unit == "units" else self._money(text)

    def _bonus(self, row: Document, unit: Unit) -> Bonus:
        return Bonus(
            amount=self._money(row["amount"]),
            per=row["per"],
            min_deal=self._size(row["min_deal"], unit) if "min_deal" in row else None,
            at=percent(row["at"]) if "at" in row else None,
            boundary=row.get("boundary"),
        )

    def _pool(self, row: Document) -> Pool:
        share = percent(row["share"]) if "share" in row else None
        amount = self._money(row["amount"]) if "amount" in row else None
        return Pool(share, amount, row["divide"], row.get("points"), row["after_posting"])

    def _rank(self, row: Document) -> Rank:
        prizes = tuple(self._money(each) for each in row["prizes"])
        return Rank(row["order"], prizes, row["ties"], row["after_posting"])

    # ------------------------------------------------------------------ what shapes a line

    def _modifiers(self, row: Document) -> Modifiers:
        return Modifiers(row["combine"], tuple(self._modifier(each) for each in row["each"]))

    def _modifier(self, row: Document) -> Modifier:
        if "table" in row:
            return Modifier(row["key"], table=self._table(row["table"], "times"))
        if "reads" not in row:
            return Modifier(row["key"], when=self._condition(row["when"], person=True), times=number(row["times"]))
        read = row["reads"]
        points = tuple(Point(self._read_value(each["at"], read), number(each["times"])) for each in row["points"])
        curve = PayCurve(
            pays="times",
            axis="value",
            mode=row["mode"],
            boundary=row["boundary"],
            below=row["below"],
            beyond=row.get("beyond"),
            full_points=None,
            points=points,
        )
        return Modifier(row["key"], read=self._read(read), curve=curve)

    def _kicker(self, row: Document) -> Kicker:
        when = self._condition(row["when"])
        assert when is not None
        rate = percent(row["rate"]) if "rate" in row else None
        return Kicker(row["key"], when, rate, self._money(row["amount"]) if "amount" in row else None)

    def _cap(self, row: Document) -> Cap:
        of_component = row.get("of_component", {})
        read = None
        if of_component:
            read = Read(*self._name(of_component["component"]), of_component.get("value", "earning"))
        return Cap(
            amount=self._money(row["amount"]) if "amount" in row else None,
            per=row["per"],
            excess=row["excess"],
            of_incentive=percent(row["of_incentive"]) if "of_incentive" in row else None,
            of_component=read,
            share=percent(of_component["share"]) if of_component else None,
            counts=row.get("counts"),
            until=row.get("until"),
        )

    def _budget(self, row: Document) -> Budget:
        return Budget(self._money(row["amount"]), row["after_posting"])

    def _gate(self, row: Document) -> Gate:
        effect = row["effect"]
        word = effect if isinstance(effect, str) else "cap" if "cap" in effect else "times"
        return Gate(
            key=row["key"],
            read=self._read(row["reads"]),
            at_least=self._read_value(row["at_least"], row["reads"]),
            read_at=row["read_at"],
            until_known=row.get("until_known"),
            catch_up=row.get("catch_up"),
            effect=word,  # type: ignore[arg-type]
            cap=self._money(effect["cap"]) if word == "cap" else None,
            times=number(effect["times"]) if word == "times" else None,
        )


def _whole(value: Any) -> int:
    whole = read_whole(value)
    assert whole is not None, value
    return whole


def _flat(cells: Any, depth: int) -> list[Any]:
    return [cells] if depth == 0 else [cell for row in cells for cell in _flat(row, depth - 1)]


def _ramp(row: Document) -> Ramp:
    quota, incentive = (tuple(percent(each) for each in row[key] or ()) for key in ("quota", "incentive"))
    return Ramp(row["from"], quota, incentive)


def _scorecard(row: Document) -> Scorecard:
    least, most = (None if row[key] is None else percent(row[key]) for key in ("at_least", "at_most"))
    parts = tuple(Part(each["component"], percent(each["weight"])) for each in row["parts"])
    return Scorecard(row["missing_part"], least, most, parts)


def _tranche(row: Document) -> Tranche:
    return Tranche(
        share=percent(row["share"]),
        on=row["on"],
        at=percent(row["at"]) if "at" in row else None,
        reading=row.get("reading", "high_water"),
        base=row.get("base"),
        tax=row.get("tax"),
        day=day(row["day"]) if "day" in row else None,
        after=_after(row["after"]) if "after" in row else None,
    )


def _after(row: Document) -> After:
    return After(**{key: _whole(value) for key, value in row.items()})


def _months(value: Any) -> int | str:
    months = read_whole(value)
    return str(value) if months is None else months


def _clawback(row: Document) -> Clawback:
    window = row.get("window", {})
    return Clawback(
        on=tuple(row["on"]),
        formula=row["formula"],
        term_months=_months(row["term_months"]) if "term_months" in row else None,
        failing_month=row.get("failing_month"),
        window_months=_whole(window["months"]) if "months" in window else None,
        window_days=_whole(window["days"]) if "days" in window else None,
        table=tuple((_whole(each["from"]), percent(each["share"])) for each in row.get("table", ())),
        base=row.get("base"),
        tax=row.get("tax"),
        lowers_measure=row.get("lowers_measure"),
        takes=row.get("takes"),
        floor=percent(row["floor"]) if "floor" in row else None,
        exchange=row.get("exchange", "own"),
    )


def _amortise(row: Document) -> Amortise:
    return Amortise(_months(row["months"]), row["from"])
