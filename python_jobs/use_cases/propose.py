"""Propose the settings of a use case from what its sources hold, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.use_cases.facts import Facts, describe, facts_of
from python_jobs.use_cases.look import Column, Look, as_type
from python_jobs.use_cases.roles import (
    NAMES,
    date_expression,
    key_columns,
    needed_column,
    optional_column,
)

Grain = Literal["day", "week"]

HORIZON: dict[Grain, int] = {"week": 4, "day": 14}
SEASON: dict[Grain, int] = {"week": 52, "day": 7}
LATER_THAN_DEFAULT = {"min_observations": 28, "inactive_after": 91, "max_periods_stale": 7}
"""Settings that count periods and whose defaults are meant for weeks, for days."""
MANY_GAPS, FEW_ZEROS = 0.1, 0.05
"""Where this share of the periods has no row, and rows with the quantity 0 are fewer than this
share of them, a source seems to write no zeros: no row means nothing sold."""


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    Attributes:
        name: of the use case.
        key: type by part, in the order of series_id; an empty type is found in the data.
        grain: of the forecast; None: that of the sales rows.
        horizon: periods; None: a usual one.
        season: periods; None: a usual one.
        families: the first one serves.
        time_zone: of days and of the schedule.
        columns: columns of the sales by role or part of the key, where they are not to be guessed.
        date_means: whether a week's date is its first or last day; None: guessed.
    """

    name: str
    key: Mapping[str, str]
    grain: Grain | None = None
    horizon: int | None = None
    season: int | None = None
    families: Sequence[str] = ("prophet",)
    time_zone: str = "UTC"
    columns: Mapping[str, str] = field(default_factory=dict)
    date_means: str | None = None


@dataclass
class Proposal:
    """Settings of a use case and why they are so.

    Attributes:
        settings: as they stand under `vars: use_cases: <name>:`.
        reasons: why, by setting (`sources.sales.date_means`).
        found: what the rows say, a line each.
        to_decide: what only a person knows, a sentence each.
        grain: of the forecast.
        facts: of the sales.
    """

    settings: dict[str, Any]
    reasons: dict[str, str]
    found: list[str]
    to_decide: list[str]
    grain: Grain
    facts: Facts

    def say(self, setting: str, why: str) -> None:
        """Give the reason of a setting."""
        self.reasons[setting] = why


def propose(wish: Wish, look: Look) -> Proposal:
    """Propose the settings of a use case with sales alone.

    Raises:
        SettingsError: a column cannot be found or does not hold what it should; the dates are
            neither days nor weeks; days are asked for and the rows are weeks.
    """
    key = key_columns(look, list(wish.key), wish.columns)
    taken = list(key.values())
    date, why_date = needed_column(look, "date", wish.columns, _is_day, taken)
    quantity, why_quantity = needed_column(
        look, "quantity", wish.columns, is_number, [*taken, date.name, *_prices(look, wish)]
    )
    columns = [name for name in key.values() if name in look.columns]
    facts = facts_of(look, columns, date, quantity)
    grain, source_grain = _grains(wish, look, facts)
    proposal = Proposal({}, {}, describe(facts, look, list(wish.key)), [], grain, facts)
    _decide_periods(proposal, wish)
    proposal.settings["key"] = _key_types(proposal, wish, look, key)
    _decide_measure(proposal, quantity)
    _decide_gaps(proposal)
    proposal.settings["families"] = list(wish.families)
    sales = _sales(proposal, wish, look, key, date, quantity)
    proposal.settings["sources"] = {"sales": sales}
    proposal.say("sources.sales.columns.date", why_date)
    proposal.say("sources.sales.columns.quantity", why_quantity)
    _decide_rows(proposal, sales, source_grain, wish, look)
    _name_unused(proposal, look, sales)
    return proposal


def _is_day(column: Column) -> bool:
    return column.is_date and column.name.lower() not in NAMES["known_at"]


def is_number(column: Column) -> bool:
    """Whether quantities and prices may stand in a column."""
    return column.is_number


def _prices(look: Look, wish: Wish) -> list[str]:
    """Columns that are prices, unless one of them is what is forecast."""
    given = wish.columns.get("quantity", "").lower()
    return [
        name for name in look.columns if name.lower() in NAMES["price"] and name.lower() != given
    ]


def _grains(wish: Wish, look: Look, facts: Facts) -> tuple[Grain, Grain]:
    """The grain of the forecast and that of the sales rows.

    Raises:
        SettingsError: the dates lie further apart than weeks, or days are asked for of weeks.
    """
    apart = facts.days_apart
    if apart is not None and apart > 7:
        raise SettingsError(
            f"{look.where}: its dates lie {apart} days apart. Shelfcast forecasts days and weeks."
        )
    found: Grain | None = None if apart is None else "week" if apart == 7 else "day"
    grain = wish.grain or found
    if grain is None:
        raise SettingsError(
            f"{look.where} has one date ({facts.first}). Say --grain day or --grain week."
        )
    if grain == "day" and found == "week":
        raise SettingsError(
            f"{look.where}: its dates lie 7 days apart, so its weeks cannot be forecast by day. "
            "Say --grain week."
        )
    return grain, found or grain


def _decide_periods(proposal: Proposal, wish: Wish) -> None:
    grain, settings = proposal.grain, proposal.settings
    settings["grain"] = grain
    settings["week_starts_on"] = "monday"
    settings["time_zone"] = wish.time_zone
    settings["horizon"] = wish.horizon or HORIZON[grain]
    settings["season"] = wish.season or SEASON[grain]
    proposal.say("horizon", "given" if wish.horizon else f"usual for {grain}s")
    proposal.say("season", "given" if wish.season else f"{grain}s of a {_season(grain)}")
    if grain == "day":
        settings.pop("week_starts_on")
        settings.update(LATER_THAN_DEFAULT)
        settings["schedule"] = {"weekday": "daily", "time": "06:00"}
        settings["issue_window_days"] = 2
        proposal.say("issue_window_days", "a run of the day after the newest day, no later")
    if proposal.facts.n_periods < 2 * settings["season"]:
        proposal.to_decide.append(
            f"season: {settings['season']} {grain}s; the sales hold {proposal.facts.n_periods}, "
            "less than two seasons, so nothing seasonal can be learnt from them."
        )
    if not wish.horizon:
        proposal.to_decide.append(f"horizon: {settings['horizon']} {grain}s ahead is a guess (--horizon).")


def _season(grain: Grain) -> str:
    return "year" if grain == "week" else "week"


def _key_types(
    proposal: Proposal, wish: Wish, look: Look, key: Mapping[str, str]
) -> dict[str, str]:
    """The type of each part, given or found.

    Raises:
        SettingsError: values do not have the type that was given.
    """
    types = {}
    for part, name in key.items():
        given = wish.key[part]
        if name not in look.columns:
            types[part] = given or "string"
            continue
        is_whole = look.columns[name].type == "INTEGER"
        types[part] = given or ("int64" if is_whole else "string")
        texts = look.rows[name]
        wrong = texts[texts.notna() & as_type(texts, types[part]).isna()]
        if len(wrong):
            raise SettingsError(
                f"{look.where}: {len(wrong):,} values of {name} are no {types[part]} (first: "
                f"{wrong.iloc[0]!r}). Say --key {part}:string."
            )
        if not given:
            proposal.say(f"key.{part}", "whole numbers" if is_whole else "text")
    return types


def _decide_measure(proposal: Proposal, quantity: Column) -> None:
    if quantity.name.lower() in NAMES["price"]:
        proposal.settings["measure"] = "price"
        proposal.settings["aggregate"] = "mean"
        proposal.say("measure", f"{quantity.name} is a price: the mean of a period, not its sum")


def _decide_gaps(proposal: Proposal) -> None:
    facts = proposal.facts
    if not facts.n_gaps:
        return
    has_few_zeros = facts.n_zero <= FEW_ZEROS * facts.n_gaps
    is_zero = has_few_zeros and facts.gap_share >= MANY_GAPS and not _is_price(proposal)
    proposal.settings["gaps_mean"] = "zero" if is_zero else "unknown"
    share = f"{facts.gap_share:.0%}" if facts.gap_share >= 0.01 else "below 1%"
    why = (
        f"{share} have no row, hardly any a 0: nothing sold"
        if is_zero
        else f"{share} have no row: nobody knows what was sold"
    )
    proposal.say("gaps_mean", why)
    other = "unknown" if is_zero else "zero"
    closed = (
        f" Without a row of any series (closed?): {facts.n_closed:,}." if facts.n_closed else ""
    )
    proposal.to_decide.append(
        f"gaps_mean: {proposal.settings['gaps_mean']}, or {other} if a {proposal.grain} without a "
        f"row means {'that nobody recorded it' if is_zero else 'that nothing was sold'}.{closed}"
    )


def _is_price(proposal: Proposal) -> bool:
    return proposal.settings.get("measure") == "price"


def _sales(
    proposal: Proposal,
    wish: Wish,
    look: Look,
    key: Mapping[str, str],
    date: Column,
    quantity: Column,
) -> dict[str, Any]:
    """The mapping of the sales."""
    instants = look.rows[date.name].dropna()
    is_midnight = bool(instants.str.contains(r"[T ]00:00:00", regex=True).all())
    expression = date_expression(date, wish.time_zone, is_midnight=is_midnight)
    columns = {**key, "date": expression, "quantity": quantity.name}
    if len(date.date_formats) > 1:
        proposal.to_decide.append(
            f"date: every value of {date.name} reads as {' and as '.join(date.date_formats)}; "
            f"{date.date_formats[0]} was taken."
        )
    price = optional_column(look, "price", wish.columns, is_number)
    if price is not None and price.name != quantity.name:
        columns["price"] = price.name
    sold_out = optional_column(
        look, "is_sold_out", wish.columns, lambda one: one.type in ("BOOLEAN", "BOOL")
    )
    if sold_out is not None:
        columns["is_sold_out"] = sold_out.name
    return {"table": table_setting(look, wish.name, "sales"), "columns": columns}


def table_setting(look: Look, name: str, kind: str) -> str:
    """Where a source's rows are: a table of its own for a file, which `load` makes."""
    return f"{name}_{kind}" if look.is_file else look.where


def known_at_setting(look: Look) -> str:
    """The column that says when a row was known; a loaded file gets one."""
    column = optional_column(look, "known_at", {}, lambda one: one.type == "TIMESTAMP")
    return column.name if column else "loaded_at" if look.is_file else ""


def _decide_rows(
    proposal: Proposal, sales: dict[str, Any], source_grain: Grain, wish: Wish, look: Look
) -> None:
    """How the rows become periods: labels, versions, negative quantities, repeated rows."""
    if source_grain != proposal.grain:
        sales["grain"] = source_grain
        how = "their mean is taken" if _is_price(proposal) else "they are summed"
        proposal.say("sources.sales.grain", f"rows are {source_grain}s; {how} by week")
    if source_grain == "week":
        _decide_labels(proposal, sales, wish)
    known_at = known_at_setting(look)
    if known_at:
        sales["known_at"] = known_at
        proposal.say("sources.sales.known_at", "the newest version of a row counts")
    else:
        proposal.to_decide.append(
            "known_at: no column says when a row was known, so rows are read as they now stand: "
            "a backtest sees later corrections."
        )
    _decide_negative(proposal, sales)
    _decide_repeated(proposal, sales, look)


def _decide_labels(proposal: Proposal, sales: dict[str, Any], wish: Wish) -> None:
    """Whether a week's date is its first day or its last, and so where weeks start."""
    weekday = proposal.facts.weekdays[0]
    name = str(sales["columns"]["date"]).lower()
    is_end = "end" in name or (weekday in ("friday", "saturday", "sunday") and "start" not in name)
    means = wish.date_means or ("period_end" if is_end else "period_start")
    after = WEEKDAYS[(WEEKDAYS.index(weekday) + 1) % 7]
    starts = weekday if means == "period_start" else after
    sales["date_means"] = means
    proposal.settings["week_starts_on"] = starts
    many = "every" if len(proposal.facts.weekdays) == 1 else "nearly every"
    of = "first" if means == "period_start" else "last"
    proposal.say(
        "sources.sales.date_means", f"{many} date is a {weekday.capitalize()}: its {of} day"
    )
    other = "period_end" if means == "period_start" else "period_start"
    if wish.date_means is None:
        proposal.to_decide.append(
            f"date_means: a week's date is read as its {of} day (weeks start on "
            f"{starts.capitalize()}). If it is not: --date-means {other}. If it lies outside of "
            "the week: label_offset_days."
        )
    run_on = WEEKDAYS[(WEEKDAYS.index(starts) + 2) % 7]
    proposal.settings["schedule"] = {"weekday": run_on, "time": "22:00"}
    proposal.say("schedule", "two days after a week ends")


def _decide_negative(proposal: Proposal, sales: dict[str, Any]) -> None:
    n = proposal.facts.n_negative
    if not n:
        return
    sales["negative_quantity"] = "keep" if _is_price(proposal) else "return"
    proposal.say("sources.sales.negative_quantity", f"rows below 0: {n:,}; returns, subtracted")
    proposal.to_decide.append(
        "negative_quantity: return subtracts them (a period is at least 0); reject leaves these "
        "rows out."
    )


def _decide_repeated(proposal: Proposal, sales: dict[str, Any], look: Look) -> None:
    """Rows of one key and date are summed; equal rows count where others repeat the date too."""
    facts = proposal.facts
    if not facts.n_repeated:
        return
    if facts.n_repeated <= facts.n_copies:
        proposal.say("sources.sales.duplicates", f"{facts.n_copies:,} rows are copies")
        return
    sales["duplicates"] = "keep"
    how = "the mean counts" if _is_price(proposal) else "they are summed"
    proposal.say("sources.sales.duplicates", f"several rows of one key and date: {how}")
    finer = _finer_part(look, sales["columns"])
    hint = f" {finer} tells them apart: is it a part of the key?" if finer else ""
    proposal.to_decide.append(
        f"duplicates: {facts.n_repeated:,} rows repeat a key and date; {how}, equal ones too.{hint}"
    )


def _finer_part(look: Look, columns: Mapping[str, str]) -> str | None:
    """A column that no role has and that makes key and date unique."""
    used = [name for name in columns.values() if name in look.columns]
    keys = [name for role, name in columns.items() if role not in ("quantity", "price")]
    keys = [name for name in keys if name in look.columns]
    for name, column in look.columns.items():
        if name in used or column.type == "FLOAT" or column.is_date:
            continue
        if not look.rows[[*keys, name]].duplicated().any():
            return name
    return None


def _name_unused(proposal: Proposal, look: Look, sales: Mapping[str, Any]) -> None:
    used = re.findall(r"\w+", " ".join([*sales["columns"].values(), sales.get("known_at", "")]))
    unused = [name for name in look.columns if name not in used]
    if unused:
        proposal.to_decide.append(
            f"not used: {', '.join(unused)}. Map one as price, is_sold_out (a condition) or a "
            "regressor that is known ahead (docs/your-data.md)."
        )
