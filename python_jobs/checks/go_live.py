"""`shelfcast doctor --go-live`: what must hold before schedules are enabled; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial

import pandas as pd

from python_jobs.checks.check import Check, NotChecked, checked
from python_jobs.checks.deployment import DEPLOYMENT
from python_jobs.checks.looks import NOT_USED, holidays_known, source_rows, verified_models
from python_jobs.data.fetch_weather import newest_forecast
from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.schedule import (
    Origin,
    issue_deadline,
    origin_at,
    period_start,
    scheduled_origins,
)
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.prediction.gate import missing_regressors
from python_jobs.runs.as_of import warehouse_as_of
from python_jobs.runs.context import RunContext, RunOptions

ENABLE = "Nothing stands in the way. Set schedules_enabled = true in your variables file and apply."
SHOWN_INSTANTS = 3
OLDEST_WEATHER = timedelta(days=3)

NEWEST = """
select max(ds) as ds
from {actuals}
where not is_gap_filled and y is not null
"""

DURATION = """
with chains as (
    select
        run_id,
        min(if(event = 'started', logged_at, null)) as started_at,
        max(if(event = 'ended' and status = 'done', logged_at, null)) as ended_at,
        logical_or(step = 'after_forecast' and event = 'ended' and status = 'done') as is_whole
    from {run_log}
    where use_case = @use_case and run_kind = 'issued'
    group by run_id
)

select run_id, started_at, timestamp_diff(ended_at, started_at, second) as seconds
from chains
where is_whole
order by started_at desc
limit 1
"""

FORECASTABLE = """
select count(distinct series_id) as n
from {series}
where is_forecastable
"""

UNFILLED = """
select count(distinct series_id) as n
from {missing}
where stand_in is null
"""


Look = Callable[[RunContext, datetime], str]


def examine(contexts: Sequence[RunContext], *, now: datetime | None = None) -> Iterator[Check]:
    """Look at the deployment, then at each use case.

    Args:
        contexts: one a use case, of one deployment.
        now: the instant of the checks; default: the clock's.
    """
    instant = now or datetime.now(UTC)
    for what, of_deployment in DEPLOYMENT:
        yield checked(what, partial(of_deployment, contexts[0]))
    for context in contexts:
        for what, look in USE_CASE:
            yield checked(f"{context.use_case.name} {what}", partial(look, context, instant))


def verdict(found: Sequence[Check]) -> str:
    """List the obstacles with remedies; without any, the variable that starts the schedules."""
    faults = [check for check in found if check.is_fine is False]
    if not faults:
        return ENABLE
    listed = "\n".join(f"- {check.what}: {check.found}" for check in faults)
    return f"{len(faults)} of {len(found)} stand in the way:\n{listed}"


def _models(context: RunContext, _: datetime) -> str:
    found = verified_models(context)
    if not found.n_forecastable:
        raise ShelfcastError("no series can be forecast. Look at `shelfcast doctor`.")
    return str(found)


def _sales(context: RunContext, now: datetime) -> str:
    """How far behind the sales are, of the periods that have ended."""
    use_case = context.use_case
    source_rows(context, "sales")
    statement = NEWEST.replace("{actuals}", f"{{{use_case.name}_actuals}}")
    try:
        newest = context.warehouse.read(statement)["ds"].iloc[0]
    except MissingRelation as error:
        raise ShelfcastError("nothing was built yet. Run `shelfcast train`.") from error
    if pd.isna(newest):
        raise ShelfcastError("no row of the sales could be used: `shelfcast doctor` says more.")
    expected = period_start(use_case, origin_at(use_case, now).origin_date)
    behind = max(0, (expected - newest.date()).days // use_case.period_days)
    text = (
        f"the newest {use_case.grain} built is that of {newest:%Y-%m-%d}, {expected} has ended"
        f"{f': {behind} behind' if behind else ''}"
    )
    if behind > use_case.max_periods_stale:
        raise ShelfcastError(
            f"{text}, more than max_periods_stale {use_case.max_periods_stale}. Load them "
            "(`shelfcast load FILE --as sales`), then build: `shelfcast check-future`."
        )
    return text


def _plans(context: RunContext, now: datetime) -> str:
    """Missing regressors of the next scheduled run, by the panel's own SQL, without building it."""
    use_case = context.use_case
    origin = next_origins(use_case, now)[0]
    name = f"{use_case.name}_missing_regressors"
    try:
        warehouse = warehouse_as_of(context, origin, [name, f"{use_case.name}_series"])
        run = context.new_run("check", [origin], RunOptions())
        missing = missing_regressors(warehouse, run)
        if missing.empty:
            return (
                f"every regressor has a value for the {_weeks(use_case)} after {origin.origin_date}"
            )
        n_series, n_unfilled = (
            int(warehouse.read(_named(statement, use_case))["n"].iloc[0])
            for statement in (FORECASTABLE, UNFILLED)
        )
    except MissingRelation as error:
        raise ShelfcastError("nothing was built yet. Run `shelfcast check-future`.") from error
    holes = _holes(missing)
    stops = missing[(missing["when_missing"] == "stop_run") & ~missing["is_filled"]]
    share = n_unfilled / n_series if n_series else 0.0
    if len(stops) or share > use_case.max_refused_share:
        why = (
            "when_missing: stop_run"
            if len(stops)
            else (
                f"{n_unfilled} of {n_series} series would fall back, more than max_refused_share "
                f"{use_case.max_refused_share:.0%}"
            )
        )
        raise ShelfcastError(
            f"the run of {origin.as_of_at:%Y-%m-%d} would stop ({why}). Untold: {holes}. Load the "
            "plan (`shelfcast load plan.csv --as promotions --covers-from … --covers-to …`), then "
            "`shelfcast check-future` lists what is still missing."
        )
    return f"{n_unfilled} of {n_series} series would fall back. Untold: {holes}"


def _weather(context: RunContext, now: datetime) -> str:
    source = context.use_case.sources.weather
    if source is None:
        raise NotChecked(NOT_USED)
    if not source.fetch.is_on:
        n_rows = source_rows(context, "weather")
        return f"{n_rows} rows, loaded by somebody (fetch: service: none)"
    issued_at = newest_forecast(context.warehouse, context.use_case)
    if issued_at is None or now - issued_at > OLDEST_WEATHER:
        what = f"that of {issued_at:%Y-%m-%d %H:%M} UTC" if issued_at else "none"
        raise ShelfcastError(
            f"the newest forecast of the weather is {what}. Run `shelfcast fetch-weather`; in a "
            "deployment the stage fetch_weather does (use_cases.<name>.stages)."
        )
    return f"forecast of {issued_at:%Y-%m-%d %H:%M} UTC"


def _holidays(context: RunContext, now: datetime) -> str:
    return holidays_known(context, next_origins(context.use_case, now))


def _times(context: RunContext, now: datetime) -> str:
    use_case = context.use_case
    origins = next_origins(use_case, now)
    at = ", ".join(
        f"{one.as_of_at:%a %Y-%m-%d %H:%M} ({one.as_of_at.astimezone(UTC):%a %H:%M} UTC)"
        for one in origins
    )
    text = f"next {at} {use_case.time_zone}, of origin {origins[0].origin_date}"
    closes = _closes(use_case, origins[0])
    left = closes - origins[0].as_of_at
    if left <= timedelta(0):
        raise ShelfcastError(
            f"{text}: its forecasts may be issued before {closes:%a %Y-%m-%d %H:%M}, so that no "
            "scheduled run would issue. Change schedule or issue_window_days."
        )
    return f"{text}; the issue window is open for {_hours(left)} then"


def _last_run(context: RunContext, now: datetime) -> str:
    """Whether the chain is done before it starts again, and before its issue window closes."""
    use_case = context.use_case
    try:
        rows = context.warehouse.read(DURATION, use_case=use_case.name)
    except MissingRelation:
        rows = pd.DataFrame()
    if rows.empty:
        raise NotChecked("no issued run has ended well yet: run `shelfcast run` once by hand")
    last = rows.iloc[0]
    took = timedelta(seconds=int(last["seconds"]))
    first, second = next_origins(use_case, now)[:2]
    between = second.as_of_at - first.as_of_at
    text = f"run {last['run_id']} of {last['started_at']:%Y-%m-%d %H:%M} UTC took {_hours(took)}"
    if took >= between:
        raise ShelfcastError(
            f"{text}, and the next starts after {_hours(between)}: the second would meet the "
            "first's lease and end. Give the job more tasks, or the schedule more time."
        )
    if first.as_of_at + took >= _closes(use_case, first):
        raise ShelfcastError(
            f"{text}: it would end after its issue window has closed. Start it earlier, or raise "
            "issue_window_days."
        )
    return f"{text}, and {_hours(between)} lie between two"


USE_CASE: list[tuple[str, Look]] = [
    ("models", _models),
    ("sales", _sales),
    ("periods ahead", _plans),
    ("weather", _weather),
    ("holidays", _holidays),
    ("times", _times),
    ("last run", _last_run),
]
"""The checks of a use case, in order."""


def next_origins(use_case: UseCase, now: datetime) -> list[Origin]:
    """The origins of the next scheduled runs, each at its instant."""
    today = now.astimezone(use_case.zone).date()
    last = today + timedelta(days=7 * (SHOWN_INSTANTS + 1))
    coming = [one for one in scheduled_origins(use_case, today, last) if one.as_of_at > now]
    return coming[:SHOWN_INSTANTS]


def _closes(use_case: UseCase, origin: Origin) -> datetime:
    return datetime.combine(
        issue_deadline(use_case, origin.origin_date), time(), tzinfo=use_case.zone
    )


def _named(statement: str, use_case: UseCase) -> str:
    for part in ("series", "missing"):
        name = f"{use_case.name}_{'missing_regressors' if part == 'missing' else part}"
        statement = statement.replace(f"{{{part}}}", f"{{{name}}}")
    return statement


def _holes(missing: pd.DataFrame) -> str:
    """`promo_share from 2026-03-02 (2 series, refuse_series)`, a regressor each."""
    by = missing.groupby(["regressor", "when_missing"]).agg(
        first=("target_date", "min"), n=("n_series", "max")
    )
    return "; ".join(
        f"{regressor} from {row['first']:%Y-%m-%d} ({row['n']} series, {rule})"
        for (regressor, rule), row in by.iterrows()
    )


def _weeks(use_case: UseCase) -> str:
    return f"{use_case.horizon} {use_case.grain}s"


def _hours(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def contexts_of(first: RunContext, named: str | None) -> list[RunContext]:
    """A context for each use case of the settings, or for the named one."""
    names = [named] if named else list(first.settings.use_cases)
    return [replace(first, use_case=first.settings.use_case(name)) for name in names]
