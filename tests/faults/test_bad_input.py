"""Bad input: one clear message that says what, where, how many and what to do; nothing is lost."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.logs import LOGGER
from python_jobs.infra.schedule import scheduled_origins
from python_jobs.runs import forecasting, issue, stages
from python_jobs.runs.context import RunOptions
from python_jobs.runs.train import train_models
from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.data_tests import data_tests
from tests.support.site import ROOT, Site, day, instant, project_vars

TRAIN = ("train", "--as-of", f"{golden.FIRST}T22:00")
REPLAY = ("replay", "--from", str(golden.SECOND), "--to", str(golden.SECOND))


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    golden.sku_settings(site)
    return site


def sales_settings(site: Site) -> dict:
    return site.use_cases["sku_weekly"]["sources"]["sales"]


def forecast_late(site: Site, when: date = golden.SECOND) -> dict[str, tuple[str, str | None]]:
    """Prepare and forecast as of a Wednesday, without publishing: outcome and reason by series."""
    context = site.context()
    origins = scheduled_origins(context.use_case, when, when)
    run = context.new_run("replay", origins, RunOptions())
    stages.prepare(context, run)
    forecasting.forecast(context, run)
    rows = golden.table(
        site,
        f"""
        select distinct series_id, outcome, split(reason, ':')[safe_offset(0)]
        from {{forecast_log}} where run_id = '{run.run_id}'
        """,
    )
    return {series_id: (outcome, reason) for series_id, outcome, reason in rows}


# What a run needs before it starts


def test_no_emulator_is_running(tmp_path: Path, monkeypatch):
    for name in ("SHELFCAST_BIGQUERY_ENDPOINT", "SHELFCAST_BIGQUERY_GRPC_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "dbt_project.yml").write_text((ROOT / "dbt_project.yml").read_text())
    result = shelfcast(None, "train", SHELFCAST_PROJECT_DIR=str(tmp_path), SHELFCAST_SETTINGS=None)
    assert result.exit_code == 1
    assert error_of(result) == ("no emulator is running. Start them with `shelfcast local start`.")


def test_the_emulator_has_gone(site: Site):
    result = shelfcast(site, "train", SHELFCAST_BIGQUERY_ENDPOINT="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "no BigQuery emulator answers at http://127.0.0.1:9" in error_of(result)
    assert "`shelfcast local start`" in error_of(result)


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "No such file"), ("{", "Expecting property name"), ("{}", "missing fields")],
)
def test_a_key_file_that_is_no_key(site: Site, tmp_path: Path, content, found):
    keyfile = tmp_path / "key.json"
    if content is not None:
        keyfile.write_text(content)
    result = shelfcast(
        site,
        *("--target", "prod", "train"),
        SHELFCAST_BIGQUERY_ENDPOINT=None,
        SHELFCAST_BIGQUERY_GRPC_ENDPOINT=None,
        SHELFCAST_PROJECT="some-project",
        SHELFCAST_KEYFILE=str(keyfile),
    )
    assert result.exit_code == 1
    assert "no usable Google credentials: " in error_of(result)
    assert found in error_of(result)
    assert "gcloud auth application-default login" in error_of(result)
    assert "SHELFCAST_KEYFILE" in error_of(result)


def test_a_misspelt_setting(site: Site):
    site.use_cases["sku_weekly"]["horizn"] = 4
    result = shelfcast(site, "train")
    assert result.exit_code == 2
    assert error_of(result) == (
        "settings: use_cases.sku_weekly: unknown key 'horizn' (did you mean 'horizon'?)"
    )


# The source tables


def test_missing_tables_are_all_named_with_what_makes_them(site: Site):
    result = shelfcast(site, *TRAIN)
    assert result.exit_code == 1
    for kind in ("sales", "promotions"):
        assert f"{site.dataset}_raw.{kind} does not exist." in error_of(result)
        assert f"`shelfcast load FILE --as {kind}` makes it" in error_of(result)
        assert f"vars: use_cases: sku_weekly: sources: {kind}: table:" in error_of(result)


def test_missing_columns_are_named_with_their_settings(site: Site):
    golden.make(site)
    sales_settings(site)["columns"] |= {"quantity": "sold * 2", "date": "day"}
    result = shelfcast(site, *TRAIN)
    assert result.exit_code == 1
    assert (
        f"{site.dataset}_raw.sales: 2 of the mapped columns are not in it "
        "(date <- day, quantity <- sold * 2). It has unit, channel, sku_id, week_start, "
        "units_sold, price, is_sold_out. Map them under vars: use_cases: sku_weekly: sources: "
        "sales: columns:."
    ) in error_of(result)


def test_an_empty_sales_table(site: Site):
    golden.make(site)
    site.write("empty", golden.sku_sales().iloc[:0])
    sales_settings(site)["table"] = "empty"
    result = shelfcast(site, *TRAIN)
    assert result.exit_code == 1
    assert f"{site.dataset}_raw.empty is empty. `shelfcast load FILE --as sales`" in (
        error_of(result)
    )


def test_sales_of_which_no_row_can_be_used(site: Site):
    site.write("promotions", golden.plan(unit="N1", channel="*", sku_id="A"))
    site.write("sales", golden.sku_sales().assign(unit=None))
    with data_tests():
        result = shelfcast(site, *TRAIN)
    assert result.exit_code == 1
    assert "no model was trained as of 2026-02-15; 0 series are in scope" in error_of(result)
    n_rows = len(golden.sku_sales())
    assert f"{n_rows} rows of sales are not used: {n_rows} null_key (first: " in result.stderr
    rejected = site.read("select rejected_because, count(*) as n from {rejected_sales} group by 1")
    assert rejected.to_numpy().tolist() == [["null_key", n_rows]]


def test_series_all_too_short_are_trained_by_nobody_and_forecast_by_the_baselines(site: Site):
    golden.make(site)
    site.use_cases["sku_weekly"]["min_observations"] = 50
    with data_tests():
        result = shelfcast(site, *TRAIN)
    assert result.exit_code == 1
    assert "4 series are in scope (3 too_short, 1 inactive)" in error_of(result)
    assert forecast_late(site) == {
        golden.A: ("fallback", "too_short"),
        golden.B: ("fallback", "too_short"),
        golden.C: ("fallback", "too_short"),
        golden.D: ("refused", "inactive"),
    }


def test_no_series_matches(site: Site):
    golden.make(site)
    result = shelfcast(site, *TRAIN, "--series", "N9|*")
    assert result.exit_code == 1
    assert "0 series are in scope. Look at --series" in error_of(result)


@pytest.mark.parametrize("table", ["no such table", "a.b; drop table x", "`a`.b.c"])
def test_an_inclusion_table_that_is_no_table_name(site: Site, table):
    golden.make(site)
    result = shelfcast(site, *TRAIN, "--series-table", table)
    assert result.exit_code == 2
    assert error_of(result) == f"'{table}' is not named as project.dataset.table."


# A seed of holidays that ends


def test_holidays_that_the_seed_does_not_know(site: Site, caplog, monkeypatch):
    """Stopped before dbt where the horizon has none; a warning where sales reach further back."""
    golden.make(site)
    earlier = golden.sku_sales().query("sku_id == 'A'").head(1)
    site.write("sales", earlier.assign(week_start=day("2025-12-22")))
    first = project_vars()["use_cases"]["sku_weekly"]
    site.use_cases["sku_weekly"]["regressors"]["holiday_share"] = first["regressors"][
        "holiday_share"
    ]
    site.use_cases["sku_weekly"]["sources"]["calendar"] = {"countries": ["RU"]}
    seed = site.copy_project() / "seeds" / "holidays.csv"
    seed.write_text("holiday_date,name,country,source\n2025-05-09,Victory Day,RU,holidays\n")
    stopped = shelfcast(site, *TRAIN)
    assert stopped.exit_code == 1
    assert (
        "sku_weekly: seeds/holidays.csv: no holiday of RU in 2026, which the horizon reaches: "
        "holiday_share would silently be 0. Run `shelfcast make-holidays --from 2026 --to 2026`."
    ) in error_of(stopped)
    assert "FAIL  holidays: sku_weekly: " in shelfcast(site, "doctor").stdout

    seed.unlink()
    done(site, "make-holidays", "--from", "2026", "--to", "2027")
    monkeypatch.setattr(LOGGER, "propagate", True)
    forecast_late(site)
    assert "no holiday of RU in 2025, which sales are known of" in caplog.text
    shares = golden.table(
        site,
        """
        select distinct ds, holiday_share from {sku_weekly_regressors}
        where holiday_share > 0 order by ds
        """,
    )
    # 1 to 4 January; 5 to 9 January, the last a day off that was moved; 23 February; 8 March.
    weeks = {"2025-12-29": 4, "2026-01-05": 5, "2026-02-23": 1, "2026-03-02": 1}
    assert shares == [(week, round(days / 7, 9)) for week, days in weeks.items()]


# A future panel with a hole


@pytest.fixture(scope="module")
def holey(make_site: Callable[[], Site], trained_fortnight: Site) -> Site:
    """The plan speaks for W1 to W8: of W9, step 2 of the second Wednesday, it knows nothing."""
    site = golden.copy(trained_fortnight, make_site())
    columns = site.use_cases["sku_weekly"]["sources"]["promotions"]["columns"]
    last = (golden.WEEK["W8"] + pd.Timedelta(days=6)).isoformat()
    columns["covers_to"] = f"date '{last}'"
    site.use_cases["sku_weekly"]["max_refused_share"] = 1.0
    return site


def with_when_missing(site: Site, when_missing: str, **more: object) -> Site:
    changed = copy.copy(site)
    changed.use_cases = copy.deepcopy(site.use_cases)
    changed.use_cases["sku_weekly"]["regressors"]["promo_share"]["when_missing"] = when_missing
    changed.use_cases["sku_weekly"] |= more
    return changed


@pytest.mark.parametrize(
    ("when_missing", "outcome", "filled"),
    [
        ("refuse_series", ("fallback", "missing_regressors"), None),
        ("carry_last", ("forecast", None), 1.0),
        ("none", ("forecast", None), 0.0),
    ],
)
def test_a_hole_in_the_future_panel_is_what_when_missing_says(
    holey: Site, when_missing, outcome, filled
):
    site = with_when_missing(holey, when_missing)
    assert forecast_late(site)[golden.A] == outcome
    promo = golden.table(
        site,
        """
        select promo_share from {sku_weekly_future_panel}
        where series_id = 'N1|retail|A' order by horizon_step
        """,
    )
    assert promo == [(1.0,), (filled,)]


def test_a_hole_stops_the_run_where_the_settings_say_so(holey: Site):
    site = with_when_missing(holey, "stop_run")
    result = shelfcast(site, *REPLAY)
    assert result.exit_code == 1
    assert (
        "future_panel: 4 of 4 series lack a regressor (first: N1|retail|A: promo_share unknown "
        in (error_of(result))
    )
    assert "when_missing: stop_run stops the run. Load the plan" in error_of(result)


def test_too_many_holes_stop_the_run(holey: Site):
    site = with_when_missing(holey, "refuse_series", max_refused_share=0.05)
    result = shelfcast(site, *REPLAY)
    assert result.exit_code == 1
    assert "That is more than max_refused_share 5%." in error_of(result)


# Stale actuals


def test_stale_actuals_name_the_newest_week_and_the_one_expected(holey: Site, caplog, monkeypatch):
    """Three Wednesdays later nobody has loaded a week: W8 is held, W11 is expected."""
    late = ("replay", "--from", "2026-03-18", "--to", "2026-03-18")
    said = (
        "actuals: the newest week held is that of 2026-02-23, expected 2026-03-09 for origin "
        "2026-03-15: 2 behind"
    )
    site = with_when_missing(holey, "none", max_periods_stale=1, when_stale="stop_run")
    stopped = shelfcast(site, *late)
    assert stopped.exit_code == 1
    assert said in error_of(stopped)
    assert "Load the sales up to 2026-03-15." in error_of(stopped)
    monkeypatch.setattr(LOGGER, "propagate", True)

    for when_stale, outcome in (("fallback", "fallback"), ("warn", "forecast")):
        site = with_when_missing(holey, "none", max_periods_stale=1, when_stale=when_stale)
        caplog.clear()
        assert forecast_late(site, day("2026-03-18"))[golden.A][0] == outcome
        assert said in caplog.text


@pytest.mark.parametrize("days_old", [2, 40])
def test_an_issued_run_asks_dbt_whether_its_source_is_fresh(site: Site, days_old):
    """40 days are more than error_after_days (24), whatever the weeks in the table say."""
    loaded_at = pd.Timestamp.now(tz="UTC") - pd.Timedelta(days=days_old)
    site.write("sales", golden.sku_sales().assign(loaded_at=loaded_at))
    site.write("promotions", golden.plan(unit="N1", channel="*", sku_id="A"))
    sales_settings(site)["known_at"] = "loaded_at"
    site.use_cases["sku_weekly"]["refit"] = "every_run"
    context = site.context()
    with pytest.raises(RunStopped) as stopped:
        issue.issue(context, now=instant("2026-02-18 19:00"))
    # Rows that arrived after that Wednesday were not known then: the fresh table has no series.
    expected = "staler than error_after_days" if days_old == 40 else "no series is known"
    assert expected in str(stopped.value)


# Names that look like something else


def test_a_series_named_like_a_path_is_a_name(make_site: Callable[[], Site]):
    site = golden.make(make_site())
    odd = ["../../etc/passwd", "..", "a/b", "|", "\\", "'; drop table x; --", "Ёж 100%", "{{ x }}"]
    rows = golden.sku_sales().query("sku_id == 'A'")
    site.write("sales", pd.concat([rows.assign(sku_id=name) for name in odd]))
    done(site, *TRAIN)
    found = forecast_late(site)
    assert [outcome for outcome, _ in found.values()].count("forecast") == 2 + len(odd)
    names = golden.table(site, "select sku_id from {sku_weekly_keys}")
    assert {name for (name,) in names} == {*"ABCD", *odd}
    assert list(site.folder.parent.rglob("passwd*")) == []
    done(site, "models", "verify")
    assert len(list((site.folder / "models" / "models").rglob("*.json"))) == 2 + len(odd)


def test_what_the_pipeline_raises_is_what_the_command_says(site: Site):
    with pytest.raises(RunStopped, match="does not exist"):
        train_models(site.context())
