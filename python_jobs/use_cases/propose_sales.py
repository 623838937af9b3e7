"""Propose how the rows of a sales source become the periods of its series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.use_cases.look import Column, Look
from python_jobs.use_cases.proposal import Grain, Proposal, Wish
from python_jobs.use_cases.roles import date_expression, is_number, optional_column


def sales_mapping(
    proposal: Proposal,
    wish: Wish,
    look: Look,
    key: Mapping[str, str],
    date: Column,
    quantity: Column,
) -> dict[str, Any]:
    """Map date, quantity and what else a row says."""
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
    """The table of a source's rows; for a file, one that `load` makes."""
    return f"{name}_{kind}" if look.is_file else look.where


def known_at_setting(look: Look) -> str:
    """The column that says when a row was known; a loaded file gets one."""
    column = optional_column(look, "known_at", {}, lambda one: one.type == "TIMESTAMP")
    return column.name if column else "loaded_at" if look.is_file else ""


def decide_rows(
    proposal: Proposal, sales: dict[str, Any], source_grain: Grain, wish: Wish, look: Look
) -> None:
    """How the rows become periods: labels, versions, negative quantities, repeated rows."""
    if source_grain != proposal.grain:
        sales["grain"] = source_grain
        how = "their mean is taken" if proposal.is_price else "they are summed"
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
    sales["negative_quantity"] = "keep" if proposal.is_price else "return"
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
    how = "the mean counts" if proposal.is_price else "they are summed"
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


def name_unused(proposal: Proposal, look: Look, sales: Mapping[str, Any]) -> None:
    """List the columns that nothing reads."""
    used = re.findall(r"\w+", " ".join([*sales["columns"].values(), sales.get("known_at", "")]))
    unused = [name for name in look.columns if name not in used]
    if unused:
        proposal.to_decide.append(
            f"not used: {', '.join(unused)}. Map one as price, is_sold_out (a condition) or a "
            "regressor that is known ahead (docs/your-data.md)."
        )
