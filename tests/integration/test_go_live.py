"""`shelfcast doctor --go-live` as an operator runs it before the schedules are enabled.

The weeks end four days ago, whatever today is, and the schedule's day is the third of a week: the
next scheduled run looks back from the end of the week under way. The plan first covers what this
week's run needs, and not what the next one does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd
import pytest
import yaml

from python_jobs.checks import go_live
from python_jobs.checks.check import Check, checked
from python_jobs.checks.deployment import DEPLOYMENT
from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.infra.settings import load_settings
from python_jobs.runs.context import RunContext
from tests.support import golden
from tests.support.commands import done, shelfcast
from tests.support.site import ROOT, Site

TODAY = datetime.now(UTC).date()
ORIGIN = TODAY - timedelta(days=4)
WEEKS = [ORIGIN + timedelta(days=1) - timedelta(weeks=n) for n in range(8, 0, -1)]
NEXT_ORIGIN = ORIGIN + timedelta(weeks=1)
PROD = {
    "SHELFCAST_PROJECT": "shelfcast-local",
    "SHELFCAST_LOCATION": "US",
    "SHELFCAST_MAXIMUM_BYTES_BILLED": "1000000000000",
}


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Trained, and one week issued, in a bucket; `prod` is the emulators under another name."""
    site = make_site().in_bucket()
    golden.sku_settings(site)
    start = WEEKS[0].weekday()
    site.use_cases["sku_weekly"] |= {
        "week_starts_on": WEEKDAYS[start],
        "time_zone": "UTC",
        "schedule": {"weekday": WEEKDAYS[(start + 2) % 7], "time": "22:00"},
    }
    profiles = site.copy_profiles()
    known = yaml.safe_load(profiles.read_text())
    known["shelfcast"]["outputs"]["prod"] = known["shelfcast"]["outputs"]["local"]
    profiles.write_text(yaml.safe_dump(known))
    sales = site.folder / "sales.csv"
    rows = [
        f"N1,retail,{sku},{week},{5 + n},2.5,false" for sku in "AB" for n, week in enumerate(WEEKS)
    ]
    sales.write_text(
        "\n".join(["unit,channel,sku_id,week_start,units_sold,price,is_sold_out", *rows])
    )
    done(site, "load", str(sales), "--as", "sales", "--history")
    load_plan(site, ORIGIN + timedelta(weeks=2))
    done(site, "train")
    done(site, "run", "--run-id", "R1")
    return site


def load_plan(site: Site, covers_to: date) -> None:
    plan = site.folder / f"plan_{covers_to}.csv"
    plan.write_text(
        "unit,channel,sku_id,start_date,end_date,price,discount,covers_from,covers_to\n"
        f"N1,retail,A,{WEEKS[0]},{WEEKS[0]},,0.1,{WEEKS[0]},{covers_to}\n"
    )
    done(site, "load", str(plan), "--as", "promotions")


def told(found: list[Check]) -> dict[str, Check]:
    return {check.what.removeprefix("sku_weekly "): check for check in found}


def look(context: RunContext, what: str, now: datetime | None = None) -> Check:
    if what in dict(DEPLOYMENT):
        return checked(what, partial(dict(DEPLOYMENT)[what], context))
    return checked(what, partial(dict(go_live.USE_CASE)[what], context, now or datetime.now(UTC)))


def with_use_case(context: RunContext, **changed: Any) -> RunContext:
    return replace(context, use_case=context.use_case.model_copy(update=changed))


def test_a_plan_that_ends_too_early_stands_in_the_way_until_it_is_loaded(site: Site):
    result = shelfcast(site, "--target", "prod", "doctor", "--go-live", **PROD)
    assert result.exit_code == 1
    missing = NEXT_ORIGIN + timedelta(days=8)
    assert result.stdout.splitlines()[-2] == "1 of 10 stand in the way:"
    last = result.stdout.splitlines()[-1]
    assert last.startswith("- sku_weekly periods ahead: the run of ")
    assert "2 of 2 series would fall back, more than max_refused_share 5%" in last
    assert f"promo_share from {missing} (2 series, refuse_series)" in last
    assert "shelfcast load plan.csv --as promotions --covers-from" in last

    load_plan(site, TODAY + timedelta(weeks=9))
    done(site, "check-future")
    result = shelfcast(site, "--target", "prod", "doctor", "--go-live", **PROD)
    assert "FAIL" not in result.stdout
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "Nothing stands in the way. Set schedules_enabled = true in your variables file and apply."
    )
    assert f"every regressor has a value for the 2 weeks after {NEXT_ORIGIN}" in result.stdout
    assert "--    identity: you are anonymous, none of the deployment's accounts" in result.stdout
    assert "ok    sku_weekly models: 2 forecastable series, each with its model." in result.stdout


def test_looking_writes_nothing(site: Site):
    context = site.context()
    counts = "select count(*) as n from {run_log} union all select count(*) from {run_origins}"
    before = site.read(counts)["n"].tolist()
    list(go_live.examine([context]))
    assert site.read(counts)["n"].tolist() == before


def test_what_is_not_production_stands_in_the_way(site: Site):
    context = site.context()
    folder = {"models_uri": "/tmp/models"}
    context = replace(context, connection=context.connection.model_copy(update=folder))
    found = look(context, "environment")
    assert found.is_fine is False
    for part in (
        *("the target is 'local'", "SHELFCAST_PROJECT is not set", "SHELFCAST_LOCATION is not set"),
        *("SHELFCAST_MODELS_URI is '/tmp/models'", "SHELFCAST_MAXIMUM_BYTES_BILLED is not set"),
    ):
        assert part in found.found


def test_datasets_elsewhere_stand_in_the_way(site: Site):
    context = site.context()
    moved = context.connection.model_copy(update={"location": "asia-south1"})
    found = look(replace(context, connection=moved), "datasets")
    assert found.is_fine is False
    assert "but SHELFCAST_LOCATION is asia-south1" in found.found


def test_datasets_that_are_not_there_stand_in_the_way(make_site: Callable[[], Site]):
    fresh = make_site()
    found = look(fresh.context(), "datasets")
    assert found.is_fine is False
    prefix = fresh.dataset
    assert f"{prefix}_raw, {prefix}_logs, {prefix}_staging, and 4 more not there" in found.found


def test_a_key_file_stands_in_the_way(site: Site):
    context = site.context()
    key = context.connection.model_copy(update={"keyfile": "key.json"})
    found = look(replace(context, connection=key), "identity")
    assert found.is_fine is False
    assert "SHELFCAST_KEYFILE is set" in found.found


def test_a_bucket_that_is_not_there_stands_in_the_way(site: Site):
    context = site.context()
    nowhere = context.connection.model_copy(update={"models_uri": "gs://nobody-made-this"})
    found = look(replace(context, connection=nowhere), "identity")
    assert found.is_fine is False
    assert found.found.startswith("there is no bucket nobody-made-this")


def test_a_model_that_is_lost_stands_in_the_way(site: Site):
    store = site.context().store
    name = next(stored.name for stored in store.list("models/"))
    content = store.get(name)
    store.delete(name)
    try:
        found = look(site.context(), "models")
    finally:
        store.put(name, content)
    assert found.is_fine is False
    assert f"{name} does not exist" in found.found
    assert found.found.endswith("Run `shelfcast train`.")


def test_sales_that_are_behind_stand_in_the_way(site: Site):
    context = site.context()
    assert f"that of {WEEKS[-1]}, {WEEKS[-1]} has ended" in look(context, "sales").found
    later = datetime.now(UTC) + timedelta(weeks=3)
    found = look(context, "sales", later)
    assert found.is_fine is False
    assert "3 behind, more than max_periods_stale 2" in found.found
    assert "2 behind" in look(context, "sales", later - timedelta(weeks=1)).found


def test_times_are_told_in_both_zones_and_lie_in_the_issue_window(site: Site):
    context = with_use_case(site.context(), time_zone="Asia/Kolkata")
    found = look(context, "times", datetime(2026, 3, 2, tzinfo=UTC))
    assert found.is_fine is True
    assert "22:00 (" in found.found
    assert "16:30 UTC) Asia/Kolkata" not in found.found.split(", of origin")[1]
    assert "16:30 UTC)" in found.found
    late = WEEKDAYS[(WEEKDAYS.index(context.use_case.week_starts_on) + 6) % 7]
    schedule = context.use_case.schedule.model_copy(update={"weekday": late})
    found = look(with_use_case(context, schedule=schedule), "times")
    assert found.is_fine is False
    assert "no scheduled run would issue. Change schedule or issue_window_days." in found.found


@pytest.mark.parametrize(
    ("days", "why"),
    [(7, "the second would meet the first's lease"), (4, "after its issue window has closed")],
)
def test_a_run_that_takes_too_long_stands_in_the_way(site: Site, days: int, why: str):
    context = site.context()
    assert "run R1 of" in look(context, "last run").found
    start = pd.Timestamp.now(UTC) + pd.Timedelta(hours=1)
    rows = pd.DataFrame(
        [
            ("before_forecast", "started", "running", start),
            ("after_forecast", "ended", "done", start + pd.Timedelta(days=days)),
        ],
        columns=["step", "event", "status", "logged_at"],
    ).assign(run_id="LONG", run_kind="issued", use_case="sku_weekly", shard=0, n_shards=1)
    context.warehouse.append("run_log", rows, f"test-long-{days}")
    try:
        found = look(context, "last run")
    finally:
        context.warehouse.query("delete from {run_log} where run_id = 'LONG'")
    assert found.is_fine is False
    assert found.found.startswith("run LONG of")
    assert why in found.found


def test_before_the_first_run_nothing_is_known_of_its_length(site: Site):
    context = with_use_case(site.context(), name="another")
    assert look(context, "last run").is_fine is None


def test_weather_that_was_never_fetched_stands_in_the_way(site: Site):
    context = site.context()
    assert look(context, "weather").found == "not used by this use case"
    weather = load_settings(ROOT, {}).use_case("sku_weekly").sources.weather
    fetch = weather.fetch.model_copy(update={"service": "open_meteo"})
    fetched = weather.model_copy(update={"fetch": fetch})
    sources = context.use_case.sources.model_copy(update={"weather": fetched})
    found = look(with_use_case(context, sources=sources), "weather")
    assert found.is_fine is False
    assert found.found.startswith("the newest forecast of the weather is none. Run `shelfcast f")
