"""`shelfcast doctor --go-live`: what must hold before schedules are enabled; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pandas as pd
from google.api_core.exceptions import Forbidden, GoogleAPICallError, MethodNotAllowed, NotFound

from python_jobs.checks.doctor import Check
from python_jobs.data.fetch_weather import newest_forecast
from python_jobs.data.holiday_calendar import check_calendar
from python_jobs.data.sources import examine_source, require_rows
from python_jobs.infra.errors import SettingsError, ShelfcastError, first_few
from python_jobs.infra.identity import account_of, part_of
from python_jobs.infra.schedule import (
    Origin,
    issue_deadline,
    origin_at,
    period_start,
    scheduled_origins,
)
from python_jobs.infra.settings import UseCase
from python_jobs.infra.store import BucketStore
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.prediction.gate import missing_regressors
from python_jobs.registry.verify import verify
from python_jobs.runs.as_of import warehouse_as_of
from python_jobs.runs.context import RunContext, RunOptions

ENABLE = "Nothing stands in the way. Set schedules_enabled = true in your variables file and apply."
PARTS = ("raw", "logs", "staging", "features", "forecasts", "metrics", "marts")
"""The datasets of a deployment, after its prefix."""

READ, WRITE = "bigquery.tables.getData", "bigquery.tables.updateData"
OBJECTS = ["storage.objects.get", "storage.objects.list"]
OWN_OBJECTS = ["storage.objects.create", "storage.objects.delete"]
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


class NotTold(ShelfcastError):
    """Nothing can be said of it, and nothing is wrong for all that is known."""


Look = Callable[[RunContext, datetime], str]


def examine(contexts: Sequence[RunContext], *, now: datetime | None = None) -> Iterator[Check]:
    """Look at the deployment, then at each use case.

    Args:
        places: one a use case, of one deployment.
        now: the clock's instant, unless a test says otherwise.
    """
    instant = now or datetime.now(UTC)
    for what, look in DEPLOYMENT:
        yield _looked_at(what, look, contexts[0], instant)
    for context in contexts:
        for what, look in USE_CASE:
            yield _looked_at(f"{context.use_case.name} {what}", look, context, instant)


def verdict(found: Sequence[Check]) -> str:
    """What is in the way, each with what to do; or the variable that enables the schedules."""
    faults = [check for check in found if check.is_fine is False]
    if not faults:
        return ENABLE
    listed = "\n".join(f"- {check.what}: {check.found}" for check in faults)
    return f"{len(faults)} of {len(found)} stand in the way:\n{listed}"


def _looked_at(what: str, look: Look, context: RunContext, now: datetime) -> Check:
    try:
        return Check(what, True, look(context, now))
    except NotTold as reason:
        return Check(what, None, str(reason))
    except ShelfcastError as error:
        return Check(what, False, str(error))
    except GoogleAPICallError as error:
        return Check(what, False, f"{error.message}".split("\n", maxsplit=1)[0])


def _environment(
    context: RunContext, _: datetime, environment: Mapping[str, str] = os.environ
) -> str:
    """The variables that deploy/terraform/jobs.tf gives each job."""
    connection = context.connection
    faults = []
    if connection.target != "prod":
        faults.append(
            f"the target is '{connection.target}': `shelfcast --target prod doctor --go-live`"
        )
    if not connection.project:
        faults.append("SHELFCAST_PROJECT is not set")
    if not connection.location:
        faults.append("SHELFCAST_LOCATION is not set, where the datasets are")
    if not (connection.models_uri or "").startswith("gs://"):
        faults.append(
            f"SHELFCAST_MODELS_URI is '{connection.models_uri or ''}': name the models bucket, "
            "gs://…"
        )
    limit = environment.get("SHELFCAST_MAXIMUM_BYTES_BILLED", "")
    if not limit.isdigit():
        faults.append("SHELFCAST_MAXIMUM_BYTES_BILLED is not set: one query could read it all")
    if faults:
        raise SettingsError(
            f"{'; '.join(faults)}. `terraform output` and deploy/terraform/jobs.tf have the values."
        )
    loading = environment.get("SHELFCAST_LOADING", "")
    apart = f", loading {loading}" if loading else ""
    return (
        f"project {connection.project}, datasets {connection.dataset}_… in {connection.location}, "
        f"{connection.models_uri}, at most {int(limit) / 1e9:,.0f} GB a query{apart}"
    )


def _datasets(context: RunContext, _: datetime) -> str:
    client, missing, elsewhere = context.warehouse.client, [], []
    for part in PARTS:
        name = f"{context.connection.dataset}_{part}"
        try:
            dataset = client.get_dataset(f"{client.project}.{name}")
        except (NotFound, Forbidden):
            missing.append(name)
        else:
            wanted = (context.connection.location or "").lower()
            if wanted and dataset.location.lower() != wanted:
                elsewhere.append(f"{name} in {dataset.location}")
    if missing:
        raise ShelfcastError(
            f"{first_few(missing)} not there, or not to be seen by this account. `terraform "
            "apply` makes the datasets."
        )
    if elsewhere:
        raise ShelfcastError(
            f"{first_few(elsewhere)}, but SHELFCAST_LOCATION is {context.connection.location}. A "
            "dataset cannot be moved: set bigquery_location to where they are."
        )
    return f"{len(PARTS)} there"


def _identity(context: RunContext, _: datetime) -> str:
    if context.connection.keyfile:
        raise SettingsError(
            "SHELFCAST_KEYFILE is set: a key is a secret that somebody can copy. Unset it; a job "
            "has its account, a person `gcloud auth application-default login`."
        )
    account = account_of(context.warehouse)
    part = part_of(account)
    _check_tables(context, account, part)
    _check_bucket(context, account, part)
    if part is None:
        raise NotTold(
            f"you are {account}, none of the deployment's accounts; what it needs it may do. To "
            "look as a job does, run `gcloud auth application-default login "
            "--impersonate-service-account=NAME-predict@PROJECT.iam.gserviceaccount.com` first."
        )
    return f"{account}, which may read and write what {part} needs"


def _check_tables(context: RunContext, account: str, part: str | None) -> None:
    """Ask for rights, and use none of them.

    Raises:
        ShelfcastError: a right is missing.
    """
    source = f"{context.use_case.name}_sales.rows"
    wanted = {source: [READ], "run_log": [READ, WRITE], "forecast_log": [READ, WRITE]}
    client, missing = context.warehouse.client, []
    for name, rights in wanted.items():
        table = context.warehouse.table(name)
        try:
            granted = client.test_iam_permissions(table, rights).get("permissions", [])
        except NotFound:
            missing.append(f"{table} (there is no such table)")
            continue
        except MethodNotAllowed:  # an emulator, which has no grants
            return
        missing += [f"{right} on {table}" for right in rights if right not in granted]
    if missing:
        raise ShelfcastError(
            f"{account} lacks {first_few(missing)}. Its grants are those of "
            f"deploy/terraform/grants.tf{f' for {part}' if part else ''}: `terraform apply`."
        )


def _check_bucket(context: RunContext, account: str, part: str | None) -> None:
    store = context.store
    if not isinstance(store, BucketStore) or part == "load":
        return
    # The monitor may write leases only, which a question about the bucket does not tell.
    wanted = OBJECTS if part == "monitor" else OBJECTS + OWN_OBJECTS
    try:
        granted = store.bucket.test_iam_permissions(wanted)
    except NotFound as error:
        raise ShelfcastError(
            f"there is no bucket {store.bucket.name}, which SHELFCAST_MODELS_URI names. "
            "`terraform apply` makes it."
        ) from error
    if missing := [right for right in wanted if right not in granted]:
        raise ShelfcastError(
            f"{account} lacks {first_few(missing)} on {store.bucket.name}. Its grants are those of "
            "deploy/terraform/grants.tf: `terraform apply`."
        )


def _models(context: RunContext, _: datetime) -> str:
    try:
        found = verify(context.warehouse, context.store, context.use_case)
    except MissingRelation as error:
        raise ShelfcastError("nothing was trained yet. Run `shelfcast train`.") from error
    if found.findings:
        raise ShelfcastError(f"{found} Run `shelfcast train`.")
    if not found.n_forecastable:
        raise ShelfcastError("no series can be forecast. Look at `shelfcast doctor`.")
    return str(found)


def _sales(context: RunContext, now: datetime) -> str:
    """How far behind the sales are, of the periods that have ended."""
    use_case = context.use_case
    n_rows = examine_source(context.warehouse, use_case, "sales")
    require_rows(context.warehouse, use_case, "sales", n_rows)
    statement = NEWEST.replace("{actuals}", f"{{{use_case.name}_actuals}}")
    try:
        newest = context.warehouse.read(statement)["ds"].iloc[0]
    except MissingRelation as error:
        raise ShelfcastError("nothing was built yet. Run `shelfcast train`.") from error
    if pd.isna(newest):
        raise ShelfcastError("no row of the sales could be used: `shelfcast doctor` says more.")
    expected = period_start(use_case, origin_at(use_case, now).origin_date)
    behind = max(0, (expected - newest.date()).days // use_case.period_days)
    told = (
        f"the newest {use_case.grain} built is that of {newest:%Y-%m-%d}, {expected} has ended"
        f"{f': {behind} behind' if behind else ''}"
    )
    if behind > use_case.max_periods_stale:
        raise ShelfcastError(
            f"{told}, more than max_periods_stale {use_case.max_periods_stale}. Load them "
            "(`shelfcast load FILE --as sales`), then build: `shelfcast check-future`."
        )
    return told


def _plans(context: RunContext, now: datetime) -> str:
    """What the next scheduled run would lack, by the panel's own SQL, without building it."""
    use_case = context.use_case
    origin = next_origins(use_case, now)[0]
    name = f"{use_case.name}_missing_regressors"
    try:
        warehouse = warehouse_as_of(context, origin, [name, f"{use_case.name}_series"])
        run = context.new_run("check", [origin], RunOptions())
        missing = missing_regressors(warehouse, run)
        if missing.empty:
            return f"every regressor is told for the {_weeks(use_case)} after {origin.origin_date}"
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
        raise NotTold("not used by this use case")
    if not source.fetch.is_on:
        n_rows = examine_source(context.warehouse, context.use_case, "weather")
        require_rows(context.warehouse, context.use_case, "weather", n_rows)
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
    found = check_calendar(context.project, context.use_case, next_origins(context.use_case, now))
    if found is None:
        raise NotTold("not used by this use case")
    return found


def _times(context: RunContext, now: datetime) -> str:
    use_case = context.use_case
    origins = next_origins(use_case, now)
    at = ", ".join(
        f"{one.as_of_at:%a %Y-%m-%d %H:%M} ({one.as_of_at.astimezone(UTC):%a %H:%M} UTC)"
        for one in origins
    )
    told = f"next {at} {use_case.time_zone}, of origin {origins[0].origin_date}"
    closes = _closes(use_case, origins[0])
    left = closes - origins[0].as_of_at
    if left <= timedelta(0):
        raise ShelfcastError(
            f"{told}: its forecasts may be issued before {closes:%a %Y-%m-%d %H:%M}, so that no "
            "scheduled run would issue. Change schedule or issue_window_days."
        )
    return f"{told}; the issue window is open for {_hours(left)} then"


def _last_run(context: RunContext, now: datetime) -> str:
    """Whether the chain is done before it starts again, and before its issue window closes."""
    use_case = context.use_case
    try:
        rows = context.warehouse.read(DURATION, use_case=use_case.name)
    except MissingRelation:
        rows = pd.DataFrame()
    if rows.empty:
        raise NotTold("no issued run has ended well yet: run `shelfcast run` once by hand")
    last = rows.iloc[0]
    took = timedelta(seconds=int(last["seconds"]))
    first, second = next_origins(use_case, now)[:2]
    between = second.as_of_at - first.as_of_at
    told = f"run {last['run_id']} of {last['started_at']:%Y-%m-%d %H:%M} UTC took {_hours(took)}"
    if took >= between:
        raise ShelfcastError(
            f"{told}, and the next starts after {_hours(between)}: the second would meet the "
            "first's lease and end. Give the job more tasks, or the schedule more time."
        )
    if first.as_of_at + took >= _closes(use_case, first):
        raise ShelfcastError(
            f"{told}: it would end after its issue window has closed. Start it earlier, or raise "
            "issue_window_days."
        )
    return f"{told}, and {_hours(between)} lie between two"


DEPLOYMENT: list[tuple[str, Look]] = [
    ("environment", _environment),
    ("datasets", _datasets),
    ("identity", _identity),
]
USE_CASE: list[tuple[str, Look]] = [
    ("models", _models),
    ("sales", _sales),
    ("weeks ahead", _plans),
    ("weather", _weather),
    ("holidays", _holidays),
    ("times", _times),
    ("last run", _last_run),
]
"""What is looked at, in order."""


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
    """A workplace for each use case of the settings, or for the one that is named."""
    names = [named] if named else list(first.settings.use_cases)
    return [replace(first, use_case=first.settings.use_case(name)) for name in names]
