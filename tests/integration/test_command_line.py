"""`shelfcast` as a person types it: files in, this week's forecasts out, on a day like today.

The weeks of these tests end four days ago, whatever today is, so that today lies inside the issue
window. A sells 10 and 20 in turns, B 5; `level` forecasts the mean of what it was trained on.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click
import pandas as pd
import pytest

from python_jobs.cli.app import main
from python_jobs.infra.schedule import WEEKDAYS
from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site

TODAY = datetime.now(UTC).date()
ORIGIN = TODAY - timedelta(days=4)
WEEKS = [ORIGIN + timedelta(days=1) - timedelta(weeks=n) for n in range(8, 0, -1)]
A, B = "N1|retail|A", "N1|retail|B"


def sales_csv(weeks: list[date], **units: list[float]) -> str:
    lines = ["unit,channel,sku_id,week_start,units_sold,price,is_sold_out"]
    lines += [
        f"N1,retail,{sku},{week},{y},2.5,false"
        for sku, values in units.items()
        for week, y in zip(weeks, values, strict=True)
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Trained on seven weeks; the eighth is loaded since."""
    site = make_site().in_bucket()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {
        "week_starts_on": WEEKDAYS[WEEKS[0].weekday()],
        "time_zone": "UTC",
    }
    sales = site.folder / "sales.csv"
    sales.write_text(sales_csv(WEEKS, A=[10.0, 20.0] * 4, B=[5.0] * 8))
    plan = site.folder / "plan.csv"
    plan.write_text(
        "unit,channel,sku_id,start_date,end_date,price,discount,covers_from,covers_to\n"
        f"N1,retail,A,{WEEKS[0]},{WEEKS[0]},,0.1,{WEEKS[0]},{TODAY + timedelta(weeks=9)}\n"
    )
    refused = shelfcast(site, "run")
    assert refused.exit_code == 1
    assert "Run `shelfcast train` first" in error_of(refused)
    done(site, "load", str(sales), "--as", "sales", "--history")
    done(site, "load", str(plan), "--as", "promotions", "--history")
    done(site, "train", "--as-of", f"{ORIGIN - timedelta(days=3)}")
    return site


def forecasts(site: Site, columns: str = "series_id, yhat, is_fallback") -> list[tuple]:
    return golden.table(
        site,
        f"select {columns} from {{champion_forecasts}} "
        "where horizon_step = 1 order by series_id, origin_date",
    )


def test_this_weeks_forecasts(site: Site):
    told = shelfcast(site, "run", "--dry-run", "--run-id", "R1")
    assert f"issued run on dataset {site.dataset}" in told.stdout
    assert f"origin {ORIGIN}" in told.stdout
    assert "nothing was written (--dry-run)" in told.stdout
    assert not site.warehouse.exists("champion_forecasts")

    done(site, "run", "--run-id", "R1")
    # A: the mean of 10 20 10 20 10 20 10, the eighth week came after the training.
    assert forecasts(site) == [(A, round(100 / 7, 9), False), (B, 5.0, False)]
    rows = golden.table(
        site, "select sku_id, forecast_date, target_date from {distributor_forecasts_weekly}"
    )
    target = (ORIGIN + timedelta(days=1), ORIGIN + timedelta(days=8))
    assert sorted(rows) == [(sku, str(TODAY), str(day)) for sku in "AB" for day in target]


def test_a_partial_run_hides_no_other_series(site: Site):
    """B is trained anew on eight weeks, and only it is forecast again."""
    done(site, "run", "--run-id", "R1")
    done(site, "train", "--series", "N1|*|B", "--run-id", "T2")
    done(site, "run", "--series", "N1|*|B", "--run-id", "R2")
    runs = golden.table(
        site,
        "select series_id, run_id from {champion_forecasts} where horizon_step = 1 order by 1",
    )
    assert runs == [(A, "R1"), (B, "R2")]
    partial = golden.table(
        site,
        "select distinct run_id, is_partial from {run_log} "
        "where step = 'predict' and run_id in ('R1', 'R2') order by 1",
    )
    assert partial == [("R1", False), ("R2", True)]


WAYS = ["flag", "environment", "setting", "table", "table by environment", "table by setting"]


@pytest.mark.parametrize("way", WAYS)
def test_the_series_of_a_run_are_chosen(site: Site, way):
    """Each way is understood, shown by a dry run; one of either kind is forecast."""
    table = f"shelfcast-local.{site.dataset}_raw.only_a"
    if site.warehouse.columns(table) is None:
        site.write("only_a", pd.DataFrame({"unit": ["N1"], "channel": ["retail"], "sku_id": ["A"]}))
    arguments = {"flag": ("--series", "*|A"), "table": ("--series-table", table)}.get(way, ())
    environment = {
        "environment": {"SHELFCAST_SERIES": "*|A"},
        "table by environment": {"SHELFCAST_SERIES_TABLE": table},
    }.get(way, {})
    setting = {"setting": {"include": "*|A"}, "table by setting": {"include_table": table}}
    site.use_cases["sku_weekly"] |= setting.get(way, {})
    try:
        told = done(site, "predict", "--dry-run", *arguments, **environment)
        assert f"series {table if 'table' in way else '*|A'}\n" in told.stdout
        if way in ("setting", "table by environment"):
            run_id = way.replace(" ", "-")
            done(site, "predict", "--run-id", run_id, *arguments, **environment)
            assert golden.table(
                site, f"select distinct series_id from {{forecast_log}} where run_id = '{run_id}'"
            ) == [(A,)]
    finally:
        site.use_cases["sku_weekly"] |= {"include": "", "include_table": ""}


def test_the_old_name_of_the_scheduled_run_works_and_warns(site: Site):
    now, before = (done(site, name, "--dry-run", "--run-id", "R0") for name in ("run", "weekly"))
    origins = [line for line in now.stdout.splitlines() if "as of" not in line]
    assert [line for line in before.stdout.splitlines() if "as of" not in line] == origins
    assert "`shelfcast weekly` is now `shelfcast run`" in before.stderr
    assert "is now" not in now.stderr
    broken = shelfcast(site, "weekly", "--series", "N1|*|B", "--step", "nothing")
    assert broken.exit_code == 2


def test_three_steps_in_three_containers(site: Site):
    done(site, "run", "--step", "before", "--run-id", "R3")
    held = shelfcast(site, "run")
    assert held.exit_code == 1
    assert "is held by run R3 (issued)" in error_of(held)
    done(site, "predict", "--run-id", "R3")
    done(site, "run", "--step", "after", "--run-id", "R3")
    assert {run for (run,) in forecasts(site, "run_id")} == {"R3"}
    done(site, "run", "--step", "before", "--run-id", "R4")  # the lease was given back
    nothing = shelfcast(site, "run", "--step", "after", "--run-id", "R4")
    assert "2 series came in, and no forecast of this run was logged" in error_of(nothing)
    assert {run for (run,) in forecasts(site, "run_id")} == {"R3"}


def test_a_first_step_that_fails_gives_the_lease_back(site: Site):
    site.use_cases["sku_weekly"]["sources"]["promotions"]["table"] = "nowhere"
    try:
        failed = shelfcast(site, "run", "--step", "before", "--run-id", "R6")
    finally:
        site.use_cases["sku_weekly"]["sources"]["promotions"]["table"] = "promotions"
    assert failed.exit_code == 1
    assert "_raw.nowhere does not exist" in error_of(failed)
    assert list(site.context().store.list("leases/")) == []


def test_a_step_of_a_run_that_nobody_opened(site: Site):
    refused = shelfcast(site, "run", "--step", "after", "--run-id", "R9")
    assert refused.exit_code == 1
    assert "no run R9 was opened. Start with `shelfcast run --step before_forecast`" in error_of(
        refused
    )


def test_a_file_is_loaded_once(site: Site):
    sales = str(site.folder / "sales.csv")
    before = site.read("select count(*) as n from {sku_weekly_sales.rows}")["n"][0]
    again = done(site, "load", sales, "--as", "sales", "--history")
    assert "was loaded into" in again.stderr
    assert "nothing to do (--again loads it again)" in again.stderr
    assert site.read("select count(*) as n from {sku_weekly_sales.rows}")["n"][0] == before


def test_a_load_is_tried_without_writing(site: Site):
    file = site.folder / "more.csv"
    file.write_text(sales_csv(WEEKS[:1], A=[7.0]))
    told = done(site, "load", str(file), "--as", "sales", "--dry-run")
    assert f"1 rows would go to shelfcast-local.{site.dataset}_raw.sales" in told.stderr
    assert site.read("select 1 from {sku_weekly_sales.rows} where units_sold = 7").empty


def test_a_query_gives_csv_on_stdout_and_nothing_else(site: Site):
    result = done(site, "sql", "select 1 as a, 'x,y' as b, null as c")
    assert result.stdout == 'a,b,c\n1,"x,y",\n'


def test_a_wrong_query_says_what_bigquery_says(site: Site):
    result = shelfcast(site, "sql", "select nothing from {forecasts}")
    assert result.exit_code == 1
    assert "BigQuery refuses: " in error_of(result)
    assert "nothing" in error_of(result)
    result = shelfcast(site, "sql", "select 1 from {forecast}")
    assert error_of(result) == "the dbt project has no relation named 'forecast'."


def test_models_are_listed_with_their_stage(site: Site):
    result = done(site, "models", "list", "--series", "*|A")
    listed = pd.read_csv(io.StringIO(result.stdout))
    assert set(listed["series_id"]) == {A}
    assert set(listed["stage"]) <= {"serving", "retired"}


def test_doctor_finds_nothing_wrong_and_then_something(site: Site):
    result = done(site, "doctor")
    assert "FAIL" not in result.stdout
    assert f"16 rows in shelfcast-local.{site.dataset}_raw.sales" in result.stdout
    store = site.context().store
    name = next(stored.name for stored in store.list("models/"))
    content = store.get(name)
    store.delete(name)
    try:
        result = shelfcast(site, "doctor")
    finally:
        store.put(name, content)
    assert result.exit_code == 1
    assert f"{name} does not exist" in result.stdout
    assert "Run `shelfcast train`" in result.stdout


def test_it_is_too_late_to_issue(site: Site):
    site.use_cases["sku_weekly"]["issue_window_days"] = 4
    try:
        result = shelfcast(site, "run")
    finally:
        site.use_cases["sku_weekly"]["issue_window_days"] = 6
    assert result.exit_code == 1
    assert f"forecasts of origin {ORIGIN} may be issued before {TODAY}" in error_of(result)
    assert f"Use `shelfcast replay --from {ORIGIN} --to {TODAY}`" in error_of(result)


def test_the_log_is_one_json_object_a_line_with_the_run(site: Site):
    result = done(site, "predict", "--run-id", "R5")
    entries = [json.loads(line) for line in result.stderr.splitlines()]
    entries = [
        one for one in entries if one["event"] != "library_warned"
    ]  # from a thread of theirs
    assert {entry["severity"] for entry in entries} <= {"INFO", "WARNING"}
    assert {entry.get("run_id") for entry in entries if entry["event"] != "models_faulty"} == {"R5"}
    assert [entries[0]["event"], entries[-1]["event"]] == ["run_started", "run_ended"]


# Without a deployment


def commands() -> Iterator[tuple[str, click.Command]]:
    for name, command in main.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", one) for sub, one in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_shows_an_example(name):
    result = done(None, *name.split(), "--help")
    assert "Example" in result.stdout
    assert f"  shelfcast {name}" in result.stdout


def test_what_writes_can_be_tried_dry():
    writers = {"run", "weekly", "train", "tune", "predict", "replay", "backtest", "load", "monitor"}
    writers |= {"retrain", "models promote", "models rollback", "load-inbox", "check-future"}
    writers |= {"what-if", "fetch-weather", "make-holidays", "use-case new"}
    has_dry_run = {name for name, one in commands() if any(p.name == "dry_run" for p in one.params)}
    assert has_dry_run == writers


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--serie", "x"),
        ("replay", "--from", "yesterday"),
        ("nonsense",),
        ("load", "x.csv"),
    ],
)
def test_bad_usage_exits_with_two(arguments):
    assert shelfcast(None, *arguments).exit_code == 2


def test_covers_go_together(tmp_path: Path):
    result = shelfcast(None, "load", "x.csv", "--as", "promotions", "--covers-from", "2026-01-01")
    assert result.exit_code == 2
    assert "--covers-from and --covers-to go together" in result.stderr
