"""The monitoring run: score the issued forecasts, find alerts, log each once."""

from __future__ import annotations

from datetime import UTC, datetime

from python_jobs.data.sources import check_sources
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run, step, write_origins
from python_jobs.infra.schedule import origin_at
from python_jobs.runs.alerts import AlertReport, log_new_alerts
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import execute
from python_jobs.runs.stages import build_stage
from python_jobs.runs.steps import Chain, Opened, Step
from python_jobs.runs.tables import ensure_tables
from python_jobs.runs.what_if import predict_with_observed_weather


def begin(context: RunContext, run: Run) -> None:
    """Record what the run looks back from."""
    write_origins(context.warehouse, run)


def score(context: RunContext, run: Run) -> None:
    """Build errors, alerts and what else monitoring reads; one run at a time."""
    build_stage(context, run, "monitoring", "dbt monitoring")


def report_alerts(context: RunContext, run: Run) -> AlertReport:
    """Log each new alert once."""
    with step(context.warehouse, run, "alerts") as counts:
        report = log_new_alerts(context.warehouse, run)
        counts.n_in, counts.n_out = report.n_standing, len(report.new)
        counts.message = str(report)
    return report


MONITOR = Chain(
    kind="monitor",
    command="shelfcast monitor",
    steps=(
        Step("begin", begin, "begun"),
        Step("observed_weather", predict_with_observed_weather, "forecast with observed weather"),
        Step("monitoring", score, "scored"),
        Step("alerts", report_alerts, "reported"),
    ),
)


def monitor(
    context: RunContext, options: RunOptions | None = None, *, as_of_at: datetime | None = None
) -> AlertReport:
    """Score the last periods' forecasts and those with revised actuals; log new alerts.

    Needs no prediction step. Issued forecasts whose weather has come are made again with it, for
    the comparison in `weather_value`; they are issued nowhere.

    Args:
        context: the run's context.
        options: run id, lease.
        as_of_at: the instant that counts as now for alerts, ages and the calculation date; actuals
            are always those that hold now.

    Raises:
        RunStopped: nothing was ever forecast here, or a source is missing.
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    run = open_monitor(context, options, as_of_at)
    ensure_tables(context)
    check_sources(context.warehouse, context.use_case)
    if not context.warehouse.exists("forecasts"):
        raise RunStopped(
            f"{context.use_case.name}: nothing was ever forecast here, so there is nothing to "
            "score. Run `shelfcast run` (or `replay`, `backtest`) first."
        )
    report: AlertReport = execute(context, MONITOR, options, lambda: Opened(run))["alerts"]
    return report


def open_monitor(context: RunContext, options: RunOptions, as_of_at: datetime | None = None) -> Run:
    """Describe a monitoring run; nothing is written."""
    origin = origin_at(context.use_case, as_of_at or datetime.now(UTC))
    return context.new_run(MONITOR.kind, [origin], options)
