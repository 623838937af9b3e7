"""Load new data before a run: plans from the inbox, and the weather."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from python_jobs.data.fetch_weather import FetchReport, fetch_weather, newest_forecast
from python_jobs.data.inbox import read_inbox
from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.logs import Event, log, warn
from python_jobs.runs.context import RunContext
from python_jobs.runs.tables import ensure_tables

PLACES = Path("seeds") / "places.csv"


def receive_plans(context: RunContext) -> None:
    """Load what lies in the inbox of promotion plans, before the run says as of when it is.

    An inbox that cannot be read is logged; the run goes on with the plans that it has, and the gate
    says what they lack. Where sources are loaded apart, it is not read at all.
    """
    ensure_tables(context)
    if is_loaded_apart(context):
        return
    try:
        read_inbox(context.warehouse, context.connection, context.use_case)
    except ShelfcastError as error:
        warn(Event.UPLOAD_REFUSED, f"{error} The run goes on with the plans loaded before.")


def is_loaded_apart(context: RunContext) -> bool:
    """Whether jobs of their own load what this run reads; then it says so."""
    if context.connection.loading != "apart":
        return False
    log(
        Event.LOADED_APART,
        f"{context.use_case.name}: plans and weather are loaded by jobs of their own "
        "(SHELFCAST_LOADING=apart): this run reads what `shelfcast load-inbox` and "
        "`shelfcast fetch-weather` have loaded.",
        use_case=context.use_case.name,
    )
    return True


def refresh_weather(context: RunContext, fetched_at: datetime) -> None:
    """Fetch weather where the settings say so; log a failure in one line and go on.

    Where sources are loaded apart, nothing is fetched.

    Args:
        context: the run's context.
        fetched_at: the instant of the run, so that the run knows what is fetched for it.
    """
    weather = context.use_case.sources.weather
    is_apart = context.connection.loading == "apart"
    if is_apart or weather is None or not weather.fetch.is_on:
        return
    try:
        report = fetch_missing_weather(context, fetched_at)
    except Exception as error:  # noqa: BLE001 - whatever it is, the forecasts do not wait for it
        failure = f"weather: {str(error).removesuffix('.') or type(error).__name__}"
    else:
        log(Event.WEATHER_FETCHED, str(report))
        failure = report.failure
    if failure:
        warn(Event.WEATHER_NOT_FETCHED, f"{failure}. {_weather_that_stands_in(context)}")


def fetch_missing_weather(
    context: RunContext, fetched_at: datetime, *, dry_run: bool = False
) -> FetchReport:
    """Fetch the weather that is due. Arguments and errors are those of `fetch_weather`."""
    ensure_tables(context)
    return fetch_weather(
        context.warehouse,
        context.connection,
        context.use_case,
        context.project / PLACES,
        fetched_at=fetched_at,
        dry_run=dry_run,
    )


def _weather_that_stands_in(context: RunContext) -> str:
    try:
        issued_at = newest_forecast(context.warehouse, context.use_case)
    except ShelfcastError:
        issued_at = None
    if issued_at is None:
        return "Climatology stands in where earlier years are known."
    day = issued_at.astimezone(context.use_case.zone).date()
    return f"The forecast of {day} stands in as far as it goes, then climatology."
