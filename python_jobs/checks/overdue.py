"""Which scheduled runs should have ended by now and have not. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from python_jobs.infra.schedule import Origin, issue_deadline, scheduled_origins
from python_jobs.infra.settings import UseCase
from python_jobs.runs.context import RunContext

MONITORED_EVERY = timedelta(days=8)
"""A monitoring is weekly; a day more before it counts as overdue."""

LOOKED_BACK = timedelta(days=400)
"""How far back forecasts are looked for: the log is read by partitions."""

FIRST_MODEL = """
select min(logged_at) as first_at
from {model_events}
where use_case = @use_case and stage = 'serving'
"""

PUBLISHED = """
select
    max(origins.origin_date) as origin_date,
    min(origins.as_of_at) as first_as_of_at,
    min(ended.logged_at) as first_at
from {run_origins} as origins
inner join {run_log} as ended
    on
        origins.run_id = ended.run_id
        and origins.use_case = ended.use_case
        and ended.step = 'after_forecast'
        and ended.status = 'done'
        and not ended.is_partial
where
    origins.use_case = @use_case
    and exists (
        select 1
        from {forecast_log} as forecast_log
        where
            forecast_log.origin_date >= @since
            and forecast_log.run_id = origins.run_id
            and forecast_log.use_case = origins.use_case
            and forecast_log.origin_date = origins.origin_date
    )
    and (origins.run_kind = 'issued' or origins.is_as_issued)
"""
"""A partial run, an unpublished one and one that logged no forecast of its origin do not count."""

MONITORED = """
select max(logged_at) as last_at
from {run_log}
where use_case = @use_case and run_kind = 'monitor' and step = 'alerts' and status = 'done'
"""


@dataclass(frozen=True)
class Overdue:
    """A run that is missing.

    Attributes:
        use_case: its use case.
        run_kind: issued or monitor.
        due_at: when it should have started (issued), or ended at the latest (monitor).
        message: what is missing, and what to do.
    """

    use_case: str
    run_kind: str
    due_at: datetime
    message: str


def newest_due(use_case: UseCase, now: datetime, grace: timedelta) -> Origin | None:
    """The newest scheduled run that started more than `grace` ago; None where none lies near."""
    today = now.astimezone(use_case.zone).date()
    reach = timedelta(days=8) + grace
    scheduled = scheduled_origins(use_case, today - reach, today)
    return next((one for one in reversed(scheduled) if one.as_of_at < now - grace), None)


def overdue_runs(context: RunContext, now: datetime, grace: timedelta) -> list[Overdue]:
    """Look for the scheduled forecast and the monitoring of a use case that are overdue.

    Nothing is due where nothing was ever issued or trained: schedules are paused before go-live.

    Args:
        context: whose use case.
        now: the instant.
        grace: how long after its start a forecast may take.

    Raises:
        ShelfcastError: the warehouse cannot be asked.
    """
    if not context.warehouse.exists("run_log"):
        return []
    name = context.use_case.name
    since = (now - LOOKED_BACK).date()
    published = context.warehouse.read(PUBLISHED, use_case=name, since=since).iloc[0]
    first_model = context.warehouse.read(FIRST_MODEL, use_case=name)["first_at"].iloc[0]
    monitored_at = context.warehouse.read(MONITORED, use_case=name)["last_at"].iloc[0]
    return [
        *_overdue_forecast(context.use_case, now, grace, published, first_model),
        *_overdue_monitoring(context.use_case, now, published, monitored_at),
    ]


def _overdue_forecast(
    use_case: UseCase,
    now: datetime,
    grace: timedelta,
    published: pd.Series,
    first_model: pd.Timestamp,
) -> list[Overdue]:
    due = newest_due(use_case, now, grace)
    began = [at for at in (first_model, published["first_as_of_at"]) if pd.notna(at)]
    if due is None or not began or min(began) > due.as_of_at:
        return []
    newest = published["origin_date"]
    if pd.notna(newest) and newest.date() >= due.origin_date:
        return []
    deadline = issue_deadline(use_case, due.origin_date)
    day = due.as_of_at.date()
    remedy = (
        f"Start `shelfcast run` before {deadline}."
        if now.astimezone(use_case.zone).date() < deadline
        else f"It is too late to issue it: `shelfcast replay --from {day} --to {day} --as-issued`."
    )
    message = (
        f"{use_case.name}: the forecast that was due at {due.as_of_at:%Y-%m-%d %H:%M %Z} (origin "
        f"{due.origin_date}) is not published; the newest is of "
        f"{f'{newest:%Y-%m-%d}' if pd.notna(newest) else 'no origin'}. Look at its job's last "
        f"execution. {remedy}"
    )
    return [Overdue(use_case.name, "issued", due.as_of_at, message)]


def _overdue_monitoring(
    use_case: UseCase, now: datetime, published: pd.Series, monitored_at: pd.Timestamp
) -> list[Overdue]:
    if pd.isna(published["first_at"]):
        return []
    since = published["first_at"] if pd.isna(monitored_at) else monitored_at
    due_at = since.to_pydatetime() + MONITORED_EVERY
    if now < due_at:
        return []
    last = "never" if pd.isna(monitored_at) else f"last at {monitored_at:%Y-%m-%d %H:%M} UTC"
    message = (
        f"{use_case.name}: forecasts were issued and have not been monitored for "
        f"{MONITORED_EVERY.days} days ({last}). Look at its job's last execution, and start "
        "`shelfcast monitor`."
    )
    return [Overdue(use_case.name, "monitor", due_at, message)]
