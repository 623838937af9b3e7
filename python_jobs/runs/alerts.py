"""Tell what `accuracy_alerts` found, each run of bad periods once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from python_jobs.infra.logs import Event, log, warn
from python_jobs.infra.run import Run
from python_jobs.infra.warehouse import Warehouse

NEW_BREACHES = """
select
    alerts.alert, alerts.segment_type, alerts.segment, alerts.since_date, alerts.target_date,
    alerts.n_periods, alerts.value, alerts.threshold, alerts.n_scored, alerts.detail
from {accuracy_alerts} as alerts
left join (
    select distinct alert, segment_type, segment, since_date
    from {alert_log}
    where use_case = @use_case and as_of_at <= @as_of_at
) as logged
    on
        alerts.alert = logged.alert
        and alerts.segment_type = logged.segment_type
        and alerts.segment = logged.segment
        and alerts.since_date = logged.since_date
where alerts.use_case = @use_case and alerts.is_breach and logged.alert is null
order by alerts.alert, alerts.segment_type, alerts.segment, alerts.since_date
"""

N_BREACHES = """
select count(*) as n from {accuracy_alerts} where use_case = @use_case and is_breach
"""


@dataclass(frozen=True)
class AlertReport:
    """The alerts of a monitoring run.

    Attributes:
        new: breaches that no run logged before, as `accuracy_alerts` holds them.
        n_standing: breaches that stand, the new ones among them.
    """

    new: pd.DataFrame = field(default_factory=pd.DataFrame)
    n_standing: int = 0

    def __str__(self) -> str:
        return f"{len(self.new)} new alerts, {self.n_standing} standing"


def log_new_alerts(warehouse: Warehouse, run: Run) -> AlertReport:
    """Log a line for each new breach, then append it to alert_log.

    A run that dies between the two logs it again: an alert may come twice, and is never lost.

    Args:
        warehouse: holds `accuracy_alerts` as of the run's origin, and alert_log.
        run: of kind monitor.
    """
    as_of_at = run.origins[-1].as_of_at
    new = warehouse.read(NEW_BREACHES, use_case=run.use_case.name, as_of_at=as_of_at)
    standing = warehouse.read(N_BREACHES, use_case=run.use_case.name)
    report = AlertReport(new, int(standing["n"].iloc[0]))
    for row in new.to_dict("records"):
        warn(
            Event.ACCURACY_ALERT,
            f"{run.use_case.name}: {sentence(row, run.use_case.grain)}",
            run_id=run.run_id,
            use_case=run.use_case.name,
            **{name: _plain(value) for name, value in row.items()},
        )
    if new.empty:
        log(Event.NO_NEW_ALERT, f"{run.use_case.name}: {report}", run_id=run.run_id)
    else:
        now = datetime.now(UTC)
        rows = new.assign(
            run_id=run.run_id, use_case=run.use_case.name, as_of_at=as_of_at, logged_at=now
        )
        warehouse.append("alert_log", rows, run.job_id("alert_log", f"{now:%Y%m%dT%H%M%S%f}"))
    return report


def sentence(row: dict[str, Any], grain: str) -> str:
    """One alert for people, from a row of `accuracy_alerts` and the use case's grain."""
    since = f"{row['since_date']:%Y-%m-%d}"
    where = "in total" if row["segment_type"] == "total" else f"{row['segment_type']} "
    name = "" if row["segment_type"] == "total" else f"'{row['segment']}'"
    if row["alert"] == "wape":
        return (
            f"WAPE {where}{name} is {row['value']:.0%}, above {row['threshold']:.0%} for "
            f"{row['n_periods']} {grain}s in a row since {since} "
            f"({row['n_scored']} rows in the newest)."
        )
    if row["alert"] == "tracking_signal":
        return (
            f"bias {where}{name}: {row['detail']}, tracking signal {row['value']:+.1f} beyond "
            f"{row['threshold']:.1f} since {since} ({row['n_scored']} rows)."
        )
    if row["alert"] == "no_forecast":
        return f"no forecast for {name}: {row['detail']}, since the origin {since}."
    return f"no run was issued for the origin {since}. Run `shelfcast run`, or `replay` later."


def _plain(value: Any) -> Any:  # noqa: ANN401 - a cell
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return None if pd.isna(value) else value
