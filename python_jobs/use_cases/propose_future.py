"""Propose what is known of the future: promotion plans, weather, holidays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from python_jobs.infra.errors import SettingsError
from python_jobs.use_cases.look import Column, Look
from python_jobs.use_cases.proposal import Proposal
from python_jobs.use_cases.propose_sales import known_at_setting, table_setting
from python_jobs.use_cases.roles import date_expression, is_number, optional_column


def add_promotions(proposal: Proposal, name: str, look: Look) -> None:
    """Add the promotion plan and its regressors.

    Raises:
        SettingsError: the plan has no column that is a start or an end.
    """
    settings = proposal.settings
    columns = _plan_keys(proposal, look)
    columns |= _plan_window(proposal, look)
    numbers = {role: optional_column(look, role, {}, is_number) for role in ("price", "discount")}
    kind = optional_column(look, "kind", {}, lambda one: one.type == "STRING")
    found = {**numbers, "kind": kind}
    columns |= {role: column.name for role, column in found.items() if column is not None}
    covers = ["covers_from", "covers_to", *(f"covers_{part}" for part in settings["key"])]
    columns |= {one: column.name for one in covers if (column := look.named([one]))}
    columns["promo_share"] = "1"
    promotions = {"table": table_setting(look, name, "promotions"), "columns": columns}
    if known_at := known_at_setting(look):
        promotions["known_at"] = known_at
    settings["sources"]["promotions"] = promotions
    _add_regressor(proposal, "promo_share", "plan", "refuse_series", sign="positive")
    if "price" in columns and "price" in settings["sources"]["sales"]["columns"]:
        _add_regressor(proposal, "log_price_ratio", "plan", "carry_regular_price", sign="negative")
    proposal.to_decide.append(
        "regressors.promo_share.when_missing: refuse_series lets a series fall back to a baseline "
        "in periods that no plan covers; none reads them as without promotion."
    )


def _plan_keys(proposal: Proposal, look: Look) -> dict[str, str]:
    """The plan's column of each part of the key; '*' (all of them) where it has none."""
    columns = {}
    for part in proposal.settings["key"]:
        own = proposal.settings["sources"]["sales"]["columns"][part]
        column = look.named([part, own.lower()])
        columns[part] = column.name if column else "'*'"
        if column is None:
            proposal.say(f"sources.promotions.columns.{part}", "not in the plan: for all of them")
    return columns


def _plan_window(proposal: Proposal, look: Look) -> dict[str, str]:
    """First and last day of a promotion; of a plan with one date, that day (or week)."""
    start, end = (
        optional_column(look, role, {}, lambda one: one.is_date)
        for role in ("start_date", "end_date")
    )
    if start and end:
        return {"start_date": _day(start, proposal), "end_date": _day(end, proposal)}
    one = start or optional_column(look, "date", {}, lambda one: one.is_date)
    if one is None:
        raise SettingsError(
            f"{look.where} has no column for a promotion's first day (start_date, valid_from) and "
            f"last day (end_date, valid_to), nor a date (it has {', '.join(look.columns)})."
        )
    day = _day(one, proposal)
    proposal.say("sources.promotions.columns.end_date", "the plan has one date a row")
    days = 7 if _is_weekly(look, one) else 1
    last = day if days == 1 else f"date_add({day}, interval 6 day)"
    return {"start_date": day, "end_date": last}


def _is_weekly(look: Look, column: Column) -> bool:
    return bool(look.days(column).dropna().dt.weekday.nunique() == 1)


def _day(column: Column, proposal: Proposal) -> str:
    return date_expression(column, proposal.settings["time_zone"], is_midnight=False)


def add_weather(proposal: Proposal, name: str, look: Look) -> None:
    """Add daily weather; each of its numbers is a regressor.

    Raises:
        SettingsError: it has no location, no date or no number.
    """
    location = optional_column(look, "location", {}, lambda one: True)
    date = optional_column(look, "date", {}, lambda one: one.is_date)
    kind = optional_column(look, "kind", {}, lambda one: one.type == "STRING")
    if location is None or date is None:
        raise SettingsError(
            f"{look.where} needs a location (location, station, city) and a date (it has "
            f"{', '.join(look.columns)})."
        )
    numbers = [one.name for one in look.columns.values() if one.is_number and one != location]
    if not numbers:
        raise SettingsError(f"{look.where} has no column of numbers.")
    columns = {"location": location.name, "date": _day(date, proposal)}
    columns |= {"kind": kind.name} if kind else {}
    weather = {
        "table": table_setting(look, name, "weather"),
        "columns": {**columns, **{_regressor_name(one): one for one in numbers}},
    }
    if look.named(["issued_at"]):
        weather["known_at"] = "issued_at"
    weather["location_of_series"] = _location_part(proposal)
    proposal.settings["sources"]["weather"] = weather
    for one in numbers:
        _add_regressor(proposal, _regressor_name(one), "weather", "climatology")
    proposal.to_decide.append(
        f"sources.weather.location_of_series: {weather['location_of_series']}, or another SQL "
        f"expression over the key that gives {location.name} (such as "
        f"{look.rows[location.name].dropna().iloc[0]!r})."
    )


def _location_part(proposal: Proposal) -> str:
    return next(iter(proposal.settings["key"]), "'all'")


def _regressor_name(column: str) -> str:
    return column.lower()


def add_calendar(proposal: Proposal, countries: Sequence[str]) -> None:
    """Add the public holidays of some countries."""
    proposal.settings["sources"]["calendar"] = {"countries": list(countries)}
    _add_regressor(proposal, "holiday_share", "calendar", "none")


def _add_regressor(
    proposal: Proposal, name: str, future: str, when_missing: str, **more: str
) -> None:
    rules: Mapping[str, Any] = {"future": future, "when_missing": when_missing, **more}
    proposal.settings.setdefault("regressors", {})[name] = dict(rules)
