"""What is overdue, on logs as runs leave them: nothing before go-live, a missing run after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from python_jobs.checks.overdue import newest_due, overdue_runs
from python_jobs.runs.tables import ensure_tables
from tests.support.commands import error_of, shelfcast
from tests.support.site import Site

GRACE = timedelta(hours=4)
WEDNESDAY = datetime(2026, 11, 18, 22, 0, tzinfo=UTC)
ORIGIN = date(2026, 11, 15)


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    site.use_cases["sku_weekly"] |= {
        "time_zone": "UTC",
        "schedule": {"weekday": "wednesday", "time": "22:00"},
    }
    return site


def trained(site: Site, at: datetime) -> None:
    row = {"run_id": "T", "use_case": "sku_weekly", "stage": "serving", "logged_at": at}
    site.context().warehouse.append("model_events", pd.DataFrame([row]), f"trained-{at:%s}")


def ran(
    site: Site,
    kind: str,
    step: str,
    at: datetime,
    origin: date = ORIGIN,
    has_rows: bool = True,
    **more: bool,
) -> None:
    """Log a run of which a step has ended well."""
    run_id = f"{kind}-{step}-{at:%s}"
    common = {"run_id": run_id, "run_kind": kind, "use_case": "sku_weekly"}
    begun = {"origin_date": origin, "as_of_at": at, "requested_at": at, "is_as_issued": False}
    ended = {"step": step, "event": "ended", "status": "done", "logged_at": at}
    warehouse = site.context().warehouse
    warehouse.append("run_origins", pd.DataFrame([common | begun]), f"origins-{run_id}")
    rows = pd.DataFrame([{"is_partial": False, **common, **ended, **more}])
    warehouse.append("run_log", rows, f"log-{run_id}")
    if step == "after_forecast" and has_rows:
        forecast = {key: common[key] for key in ("run_id", "run_kind", "use_case")}
        forecast |= {"series_id": "a", "origin_date": origin}
        warehouse.append("forecast_log", pd.DataFrame([forecast]), f"forecasts-{run_id}")


def overdue(site: Site, now: datetime, grace: timedelta = GRACE) -> list[tuple[str, datetime]]:
    return [(one.run_kind, one.due_at) for one in overdue_runs(site.context(), now, grace)]


def test_nothing_is_due_before_go_live(site: Site) -> None:
    now = WEDNESDAY + timedelta(hours=5)
    context = site.context()
    assert overdue(site, now) == []
    assert not context.warehouse.exists("run_log"), "it only reads"
    ensure_tables(context)
    assert overdue(site, now) == []
    trained(site, WEDNESDAY + timedelta(hours=1))
    assert overdue(site, now) == [], "what was trained since could not have been issued"


def test_a_forecast_is_overdue_until_it_is_published(site: Site) -> None:
    ensure_tables(site.context())
    trained(site, WEDNESDAY - timedelta(days=2))
    late = WEDNESDAY + GRACE + timedelta(minutes=1)
    assert overdue(site, WEDNESDAY + GRACE - timedelta(minutes=1)) == []
    assert overdue(site, late) == [("issued", WEDNESDAY)]
    assert overdue(site, late, grace=timedelta(hours=5)) == []
    ran(site, "issued", "predict", WEDNESDAY)  # it is not published
    ran(site, "issued", "after_forecast", WEDNESDAY, is_partial=True)  # of some series
    ran(site, "replay", "after_forecast", WEDNESDAY)
    week_before = WEDNESDAY - timedelta(weeks=1)
    ran(site, "issued", "after_forecast", week_before, ORIGIN - timedelta(weeks=1))
    (missing,) = overdue_runs(site.context(), late, GRACE)
    assert "the newest is of 2026-11-08" in missing.message
    assert "Start `shelfcast run` before 2026-11-21" in missing.message
    found = overdue_runs(site.context(), WEDNESDAY + timedelta(days=4), GRACE)
    (missing,) = [one for one in found if one.run_kind == "issued"]
    assert "`shelfcast replay --from 2026-11-18 --to 2026-11-18 --as-issued`" in missing.message
    ran(site, "issued", "after_forecast", WEDNESDAY + timedelta(minutes=7), has_rows=False)
    assert overdue(site, late) == [("issued", WEDNESDAY)], "its log line is not enough"
    ran(site, "issued", "after_forecast", WEDNESDAY + timedelta(minutes=9))
    assert overdue(site, late) == []


def test_a_monitoring_is_overdue_after_eight_days(site: Site) -> None:
    ensure_tables(site.context())
    ran(site, "issued", "after_forecast", WEDNESDAY)
    eight = timedelta(days=8)
    now = WEDNESDAY + eight
    kinds = dict(overdue(site, now))
    assert kinds["monitor"] == now
    assert "monitor" not in dict(overdue(site, now - timedelta(minutes=1)))
    friday = WEDNESDAY + timedelta(days=1, hours=2)
    ran(site, "monitor", "alerts", friday)
    assert "monitor" not in dict(overdue(site, now))
    assert dict(overdue(site, friday + eight))["monitor"] == friday + eight


def test_the_command_tells_each_in_a_line_of_its_own(site: Site) -> None:
    ensure_tables(site.context())
    ran(site, "issued", "after_forecast", datetime(2026, 1, 7, 22, 0, tzinfo=UTC), date(2026, 1, 4))
    told = shelfcast(site, "check-runs", "--grace", "0")
    assert told.exit_code == 0, "it could look"
    lines = [json.loads(line) for line in told.stderr.splitlines()]
    assert [(one["severity"], one["event"], one["run_kind"]) for one in lines] == [
        ("ERROR", "run_overdue", "issued"),
        ("ERROR", "run_overdue", "monitor"),
    ]
    assert {one["use_case"] for one in lines} == {"sku_weekly"}
    assert lines[1]["due_at"] == "2026-01-15T22:00:00+00:00"
    assert "start `shelfcast monitor`" in lines[1]["message"]


def test_a_warehouse_that_does_not_answer_is_an_error(site: Site) -> None:
    site.context().dbt.manifest()
    away = {"SHELFCAST_BIGQUERY_ENDPOINT": "http://127.0.0.1:9"}
    blind = shelfcast(site, "check-runs", **away)
    assert blind.exit_code == 1
    assert "the runs could not be looked at: sku_weekly: no BigQuery emulator" in error_of(blind)


def test_the_newest_due_run_follows_the_use_case_s_own_clock(site: Site) -> None:
    site.use_cases["sku_weekly"]["time_zone"] = "Europe/Moscow"
    use_case = site.context().use_case
    due = newest_due(use_case, WEDNESDAY, timedelta(0))
    assert due is not None
    assert due.as_of_at.astimezone(UTC) == WEDNESDAY - timedelta(hours=3)
    earlier = newest_due(use_case, WEDNESDAY, timedelta(hours=3))
    assert earlier is not None
    assert earlier.as_of_at == due.as_of_at - timedelta(weeks=1)
