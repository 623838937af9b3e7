"""Who writes where: the stages of a run write no dataset of sources, and need not be allowed to."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from python_jobs.runs.tables import ensure_tables
from python_jobs.runs.what_if import what_if
from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.datasets import datasets_read, datasets_written
from tests.support.site import Site

WRITTEN = {
    "before_forecast": {"staging", "features", "forecasts"},
    "after_forecast": {"forecasts", "metrics", "marts"},
    "monitoring": {"staging", "features", "metrics", "marts"},
    "priors": {"forecasts"},
}


@pytest.mark.parametrize("selector", WRITTEN)
def test_a_stage_writes_what_it_makes_and_never_the_sources(selector: str) -> None:
    assert datasets_written(selector) == WRITTEN[selector]


def test_the_sources_and_the_logs_are_read() -> None:
    assert {"raw", "logs"} <= datasets_read("before_forecast")
    assert "logs" in datasets_read("after_forecast")
    assert "raw" not in datasets_read("priors")


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Sources that somebody else has loaded, read by runs that may not write there."""
    site = make_site()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"]["sources"]["promotions"]["inbox"] = str(site.folder / "inbox")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHELFCAST_LOADING", "apart")
        context = site.context()
        ensure_tables(context)
        assert "raw" not in datasets_there(site), "whoever loads makes it"
        context.warehouse.client.create_dataset(f"shelfcast-local.{site.dataset}_raw")
        site.write("sales", golden.sku_sales())
        plan = golden.plan(unit="N1", channel="*", sku_id="A")
        site.write("promotions", plan.assign(loaded_from="elsewhere", unparsed=None))
    return site


def datasets_there(site: Site) -> set[str]:
    listed = [one.dataset_id for one in site.context().warehouse.client.list_datasets()]
    mine = f"{site.dataset}_"
    return {name.removeprefix(mine) for name in listed if name.startswith(mine)}


def sources(site: Site) -> dict[str, tuple[int, object]]:
    """Each table of the sources, with its rows and when it was changed last."""
    client = site.context().warehouse.client
    tables = client.list_tables(f"shelfcast-local.{site.dataset}_raw")
    found = [client.get_table(table.reference) for table in tables]
    return {table.table_id: (table.num_rows, table.modified) for table in found}


def test_runs_that_load_nothing_leave_the_sources_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan in the inbox is not read by them, and is by the command that loads it."""
    inbox = site.folder / "inbox"
    inbox.mkdir()
    header = "unit,channel,sku_id,start_date,end_date,price,discount,covers_from,covers_to"
    row = f"N1,retail,B,{golden.WEEK['W8']},{golden.WEEK['W8']},,0.1,{golden.WEEK['W1']}"
    (inbox / "plan.csv").write_text(f"{header}\n{row},{golden.WEEK['W9']}\n")
    monkeypatch.setenv("SHELFCAST_LOADING", "apart")
    before = sources(site)
    assert set(before) == {"sales", "promotions"}
    told = done(site, "train", "--as-of", f"{golden.FIRST}T22:00")
    golden.play(site, "sku_weekly")
    told = done(site, "check-future", "--as-of", f"{golden.SECOND}T22:00")
    assert told.stderr.count('"event":"loaded_apart"') == 1
    assert sources(site) == before
    assert not site.context().warehouse.exists("sku_weekly_scenarios.rows")
    nothing = shelfcast(site, "what-if", "--scenario", "spring")
    assert "sku_weekly_scenarios does not exist, so there is no scenario" in error_of(nothing)
    loaded = done(site, "load-inbox")
    assert "1 new uploads" in loaded.stderr

    scenario = site.folder / "spring.csv"
    scenario.write_text(
        f"scenario,unit,channel,sku_id,date,promo_share\nspring,N1,retail,A,{golden.WEEK['W9']},1\n"
    )
    done(site, "load", str(scenario), "--as", "scenarios")
    unseen = shelfcast(site, "what-if", "--scenario", "spring")
    assert "made after the last build" in error_of(unseen)
    site.context().dbt.run("run", "--select", "stg_sku_weekly_scenarios+")
    answer = what_if(site.context(), "spring", dry_run=True)
    assert len(answer.by_period)


def test_a_source_that_lacks_a_regressor_of_a_scenario_breaks_no_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The regressor is newer than the table of scenarios, which stays as it is."""
    monkeypatch.setenv("SHELFCAST_LOADING", "apart")
    context = site.context()
    table = context.warehouse.table("sku_weekly_scenarios.rows")
    columns = context.warehouse.columns(table) or {}
    context.warehouse.query(f"drop table `{table}`")
    older = {name: kind for name, kind in columns.items() if name != "promo_share"}
    context.warehouse.create_table(table, older)
    row = {"scenario": "s", "unit": "*", "channel": "*", "sku_id": "*", "date": golden.WEEK["W9"]}
    context.warehouse.append_to(table, pd.DataFrame([row]), "older")
    context.dbt.run("run", "--select", "stg_sku_weekly_scenarios")
    rows = site.read("select promo_share, rejected_because from {stg_sku_weekly_scenarios}")
    assert rows["promo_share"].isna().all()
    assert list(rows["rejected_because"]) == ["supposes_nothing"]
    assert "promo_share" not in (context.warehouse.columns(table) or {})


def test_how_sources_are_loaded_is_one_of_two(site: Site) -> None:
    refused = shelfcast(site, "run", SHELFCAST_LOADING="appart")
    assert refused.exit_code == 2
    assert "SHELFCAST_LOADING is 'appart'. with_run (the default)" in error_of(refused)
