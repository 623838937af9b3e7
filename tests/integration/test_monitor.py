"""The monitoring run on the golden fortnight: what it scores again, what it tells, what it keeps.

Both Wednesdays were issued; then Friday 6 March comes, a correction, Friday 1 May, and series A
vanishes from the sales. WAPE 0 is the threshold of alerts, so that every week with an error is bad.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_jobs.infra.errors import RunStopped
from python_jobs.runs.alerts import AlertReport
from python_jobs.runs.monitor import monitor
from tests.support import golden
from tests.support.commands import error_of, shelfcast
from tests.support.data_tests import pages
from tests.support.site import Site, instant

MARCH, MAY = instant("2026-03-06 12:00"), instant("2026-05-01 12:00")
KEY = ["run_kind", "series_id", "model_name", "origin_date", "target_date"]


@dataclass
class Story:
    """What stood in the warehouse after each monitoring run."""

    site: Site
    reports: dict[str, AlertReport] = field(default_factory=dict)
    errors: dict[str, pd.DataFrame] = field(default_factory=dict)

    def monitor(self, name: str, as_of_at: Any) -> None:
        with pages():
            self.reports[name] = monitor(self.site.context(), as_of_at=as_of_at)
        rows = self.site.read("select * from {forecast_errors}")
        self.errors[name] = rows.set_index(KEY).sort_index()


@pytest.fixture(scope="module")
def story(make_site: Callable[[], Site], issued_fortnight: Site) -> Story:
    site = golden.copy(issued_fortnight, make_site())
    alerts = {"wape": 0, "min_scored": 1, "min_arrived": 0.3, "on_breach": "fail"}
    site.use_cases["sku_weekly"]["alerts"] = alerts
    told = Story(site)
    told.monitor("march", MARCH)
    sales = "{sku_weekly_sales.rows}"
    week = f"date '{golden.WEEK['W7']}'"
    site.warehouse.query(
        f"update {sales} set units_sold = 20 where sku_id = 'A' and week_start = {week}"
    )
    told.monitor("may", MAY)
    told.monitor("again", MAY)
    site.warehouse.query(f"delete from {sales} where sku_id = 'A'")
    told.monitor("vanished", MAY)
    return told


def alerts(report: AlertReport) -> list[tuple[str, str, str, str]]:
    return [
        (row.alert, row.segment_type, row.segment, f"{row.since_date:%Y-%m-%d}")
        for row in report.new.itertuples()
    ]


def test_a_late_correction_makes_its_own_week_again_and_no_other(story: Story) -> None:
    before, after = story.errors["march"], story.errors["may"]
    assert list(before.index) == list(after.index)
    is_again = before["scored_at"] != after["scored_at"]
    weeks = set(after.index[is_again].get_level_values("target_date"))
    assert weeks == {pd.Timestamp(golden.WEEK["W7"])}
    same = before[~is_again].drop(columns="scored_at")
    pd.testing.assert_frame_equal(same, after[~is_again].drop(columns="scored_at"))
    own = after.xs("level", level="model_name").xs(golden.A, level="series_id")
    assert own[own["y"] == 20]["error"].tolist() == [-9.0]


def test_without_a_change_no_week_further_back_is_made_again(story: Story) -> None:
    pd.testing.assert_frame_equal(story.errors["may"], story.errors["again"])


def test_a_vanished_series_keeps_its_rows_and_says_why_they_are_not_scored(story: Story) -> None:
    before, after = story.errors["again"], story.errors["vanished"]
    assert list(before.index) == list(after.index)
    own = after.xs(golden.A, level="series_id")
    assert set(own["unscored_reason"]) == {"not_arrived"}
    assert own["y"].isna().all()
    assert not own["is_comparable"].any()


def test_a_vanished_series_stays_on_the_pages_under_its_key(story: Story) -> None:
    pages = ("overview", "series_periods", "worst_series", "intervals", "value_added")
    shown = {
        page: golden.table(
            story.site,
            f"select distinct unit, channel, sku_id from {{report_{page}}} "
            f"where use_case = 'sku_weekly' and series_id = '{golden.A}'",
        )
        for page in pages
    }
    scored = {"intervals": [], "value_added": []}  # of what is scored: nothing of A is any more
    assert shown == {page: [tuple(golden.A.split("|"))] for page in pages} | scored
    units = golden.table(
        story.site,
        f"select segment from {{series_segments}} where series_id = '{golden.A}' "
        "and segment_type = 'unit'",
    )
    assert units == [(golden.A.split("|")[0],)]


def test_a_new_alert_is_told_once(story: Story) -> None:
    """W7: A is off by 1 of 18 units; W8 by 0.5. Both are above zero; B's errors are none."""
    assert ("wape", "total", "all", "2026-02-16") in alerts(story.reports["march"])
    assert ("wape", "sku_id", "A", "2026-02-16") in alerts(story.reports["march"])
    assert not [one for one in alerts(story.reports["march"]) if one[1:3] == ("sku_id", "B")]
    assert alerts(story.reports["again"]) == []
    assert story.reports["again"].n_standing == story.reports["may"].n_standing


def test_a_week_that_is_not_over_is_not_judged(story: Story) -> None:
    rows = golden.table(
        story.site,
        "select target_date, is_complete from {scored_targets} where run_kind = 'issued' "
        "order by 1",
    )
    assert [row[0] for row in rows if not row[1]] == [str(golden.WEEK["W9"])]


def test_missing_runs_are_those_that_the_schedule_had_since_the_first(story: Story) -> None:
    march = [one for one in alerts(story.reports["march"]) if one[0] == "missing_run"]
    may = [one for one in alerts(story.reports["may"]) if one[0] == "missing_run"]
    assert [one[3] for one in march] == ["2026-03-01"]
    five_weeks = ["2026-03-29", "2026-04-05", "2026-04-12", "2026-04-19", "2026-04-26"]
    assert [one[3] for one in may] == five_weeks


def test_a_series_without_a_forecast_is_told_with_its_reason(story: Story) -> None:
    report = story.reports["march"].new
    row = report[report["alert"] == "no_forecast"].iloc[0]
    assert (row["segment"], row["detail"], row["n_periods"]) == (golden.D, "inactive", 2)


def test_earlier_calculations_stand_beside_restated_ones(story: Story) -> None:
    """A in February: 2 off of 42 units before the correction, 10 of 52 after it."""
    rows = golden.table(
        story.site,
        f"""
        select calculation_date, value, n_scored from {{distributor_model_performance_metrics}}
        where series_id = '{golden.A}' and metric_name = 'wape' and period = '2026-02'
            and calculation_date in ('2026-03-06', '2026-05-01')
        order by 1
        """,
    )
    assert rows[0] == ("2026-03-06", round(2 / 42, 9), 3)
    assert rows[1:] == [("2026-05-01", None, 0)]  # A has vanished by then: unknown, not zero


def test_the_command_exits_as_the_settings_say_and_prints_a_line_an_alert(story: Story) -> None:
    fails = shelfcast(story.site, "monitor", "--as-of", "2026-05-08T12:00")
    assert fails.exit_code == 1
    entries = [json.loads(line) for line in fails.stderr.splitlines() if line.startswith("{")]
    told = [entry for entry in entries if entry["event"] == "accuracy_alert"]
    assert [entry["since_date"] for entry in told] == ["2026-05-03"]
    assert told[0]["alert"] == "missing_run"
    assert "no run was issued for the origin 2026-05-03" in told[0]["message"]


def test_a_dry_run_writes_nothing(story: Story) -> None:
    runs = "select count(*) as n from {run_origins}"
    before = story.site.read(runs)["n"].iloc[0]
    shown = shelfcast(story.site, "monitor", "--dry-run")
    assert "monitor run" in shown.output
    assert story.site.read(runs)["n"].iloc[0] == before


def test_a_metric_is_one_macro_and_its_line(story: Story, tmp_path: Path) -> None:
    """One line in the list: a described column of every mart, and rows of the long one."""
    twin = dataclasses.replace(story.site, folder=tmp_path)
    project = twin.copy_project()
    (project / "macros" / "metrics" / "mape.sql").write_text(
        "{# MAPE. #}\n{% macro mape() -%}\n    avg(safe_divide(abs_error, abs_y))\n"
        "{%- endmacro %}\n"
    )
    settings = project / "dbt_project.yml"
    line = "    mape: Mean of |yhat - y| / |y|.\n"
    settings.write_text(
        settings.read_text().replace("  metrics:\n    wape", f"  metrics:\n{line}    wape")
    )
    marts = ["accuracy_by_target_date", "accuracy_by_window", "accuracy_by_segment"]
    twin.context().dbt.run("run", "--select", *marts, "distributor_model_performance_metrics")
    for mart in marts:
        assert "mape" in twin.read(f"select * from {{{mart}}} limit 1")
    found = twin.read(
        "select distinct metric_name from {distributor_model_performance_metrics} "
        "where metric_name = 'mape'"
    )
    assert len(found) == 1
    described = twin.warehouse.client.get_table(twin.warehouse.table("accuracy_by_target_date"))
    assert "Mean of |yhat - y| / |y|." in [column.description for column in described.schema]


def test_a_metric_without_a_macro_is_named(story: Story, tmp_path: Path) -> None:
    twin = dataclasses.replace(story.site, folder=tmp_path)
    settings = twin.copy_project() / "dbt_project.yml"
    settings.write_text(settings.read_text().replace("    wape: sum", "    mope: x\n    wape: sum"))
    failed = shelfcast(twin, "sql", "select 1 as one")
    assert failed.exit_code == 1
    assert "'mope' has no macro of its name. Write macros/metrics/mope.sql" in error_of(failed)


def test_where_nothing_was_ever_forecast_it_says_so(make_site: Callable[[], Site]) -> None:
    site = make_site()
    golden.make(site)
    with pytest.raises(RunStopped, match="nothing was ever forecast here"):
        monitor(site.context())


def test_unknown_keys_of_alerts_and_retraining_are_refused_by_name(
    make_site: Callable[[], Site],
) -> None:
    site = make_site()
    site.use_cases["sku_weekly"] |= {"alerts": {"wap": 1}, "retraining": {"max_serie": 1}}
    failed = shelfcast(site, "monitor")
    assert failed.exit_code == 2
    assert "use_cases.sku_weekly.alerts: unknown key 'wap' (did you mean 'wape'?)" in error_of(
        failed
    )
    assert "use_cases.sku_weekly.retraining: unknown key 'max_serie'" in error_of(failed)
