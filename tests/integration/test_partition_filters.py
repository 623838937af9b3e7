"""Every query on a partitioned table bounds its partitions by constants, or it says here why not.

BigQuery prunes by constants only, and no emulator shows it: so the compiled SQL is read, with the
dates of a run in force and the incremental tables there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import pytest

from python_jobs.infra.dbt_runner import names_of
from python_jobs.infra.schedule import Origin
from python_jobs.runs.context import RunOptions
from python_jobs.runs.tables import ensure_tables
from tests.support import compiled
from tests.support.begun import begin
from tests.support.partitions import Partitions, Scan, scans_of_project
from tests.support.site import ROOT, Site, day, instant

REGISTRY = "a row a fit: the registry knows every version that may serve, however old"
ALL_OF_HISTORY = "its accuracy is that of all that was ever scored, of a few columns"
EVERY_WEEK = "a page that shows every week there is, a row a week and series"
ONE_STATE = "the newest row of each series, however long ago that was"
ALERTS = "since when an alert lasts is told however far back it began"

READS_ALL = {
    ("run_forecasts", "baselines"): (
        "a view cannot hand its reader's dates on through a left join; `forecasts` reads each "
        "run's log by dates and the baselines of the log whole"
    ),
    ("series_segments", "series_profiles"): ONE_STATE,
    (
        "run_accounts",
        "forecast_log",
    ): "a row a run and origin, of every run: counts without payload",
    ("run_accounts", "series_profiles"): "a row a run and origin, of every run",
    (
        "run_costs",
        "forecast_log",
    ): "a row a run, origin and model, of every run: three narrow columns",
    ("run_costs", "forecast_errors"): "the WAPE of every origin beside what it cost",
    ("retraining_candidates", "model_log"): REGISTRY,
    ("retraining_candidates", "forecasts"): ONE_STATE,
    ("retraining_candidates", "forecast_errors"): (
        "the last complete weeks, which only scored_targets knows: not literal dates"
    ),
    ("accuracy_alerts", "forecast_errors"): ALERTS,
    ("accuracy_alerts", "forecasts"): ALERTS,
    ("accuracy_alerts", "run_forecasts"): ALERTS,
    (
        "scored_targets",
        "forecast_errors",
    ): "a row a period: which periods are complete, of all of them",
    ("recipe_scores", "model_log"): "every candidate of every tuning, to compare them over time",
    ("weather_value", "scenario_log"): ALL_OF_HISTORY,
    ("weather_value", "forecast_errors"): ALL_OF_HISTORY,
    **{
        (f"accuracy_by_{by}", "forecast_errors"): ALL_OF_HISTORY
        for by in (
            *("segment", "series", "horizon_step", "use_case", "window"),
            *("target_date", "segment_target_date"),
        )
    },
    **{
        (f"report_{page}", "forecast_errors"): EVERY_WEEK
        for page in ("value_added", "intervals", "overview", "series_periods", "retraining", "runs")
    },
    ("report_series_periods", "champion_forecasts"): EVERY_WEEK,
    ("report_runs", "forecast_exceptions"): "every run that there was, counted",
    (
        "distributor_forecasts_weekly",
        "champion_forecasts",
    ): "planners read every week that was issued",
    ("distributor_forecasts_weekly", "model_log"): REGISTRY,
    ("scenario_forecasts", "scenario_log"): "the newest answer to each scenario; questions are few",
    ("serving_models", "model_log"): REGISTRY,
    ("recipes", "model_log"): REGISTRY,
    ("priors_in_force", "portfolio_priors"): "the newest priors, a row a coefficient",
    ("interval_calibration", "calibration_residuals"): (
        "every residual known at the origin calibrates; the origin bounds them from above"
    ),
}
"""{(model, what it reads whole): why}. Data tests are of whole tables on purpose, and not here."""

PYTHON_READS_ALL = {
    ("cli/models.py", "models"): REGISTRY,
    ("fitting/export.py", "models"): REGISTRY,
    ("registry/verify.py", "models"): REGISTRY,
    ("registry/versions.py", "model_log"): REGISTRY,
    ("prediction/predict.py", "model_log"): REGISTRY,
    ("prediction/scenarios.py", "model_log"): REGISTRY,
    ("runs/replay.py", "model_log"): "the origins at which anything was ever trained",
    (
        "selection/retraining.py",
        "baselines",
    ): "of one run and the origins at which it compares recipes",
}
"""{(file of python_jobs, what a statement of it reads whole): why}."""

UNBOUNDED = {
    "unbounded": "select series_id from {{ ref('forecasts') }} where is_champion",
    "bounded_above": (
        "select series_id from {{ ref('forecasts') }} "
        "where {{ origin_bounds('sku_weekly', 'origin_date', before=none) }}"
    ),
    "through_a_join": (
        "select f.series_id from {{ ref('forecasts') }} as f "
        "inner join {{ ref('origins') }} as o on f.origin_date = o.origin_date"
    ),
    "through_a_subquery": (
        "select series_id from {{ ref('forecasts') }} "
        "where origin_date in (select o.origin_date from {{ ref('origins') }} as o)"
    ),
    "through_a_view": "select series_id from {{ ref('champion_forecasts') }}",
    "after_ranking": (
        "select ranked.series_id from (select *, row_number() over (partition by series_id "
        "order by origin_date desc) as place from {{ ref('forecasts') }}) as ranked "
        "where {{ origin_bounds('sku_weekly', 'ranked.origin_date') }}"
    ),
    "in_one_part_of_a_union": (
        "select series_id from {{ ref('forecasts') }} "
        "where {{ origin_bounds('sku_weekly', 'origin_date') }} "
        "union all select series_id from {{ ref('forecasts') }}"
    ),
    "on_the_other_side": (
        "select f.series_id from {{ ref('forecasts') }} as f left join {{ ref('origins') }} as o "
        "on f.use_case = o.use_case and {{ origin_bounds('sku_weekly', 'f.origin_date') }}"
    ),
}
BOUNDED = {
    "bounded": (
        "select series_id from {{ ref('forecasts') }} "
        "where {{ origin_bounds('sku_weekly', 'origin_date', 7, 7) }} and is_champion"
    ),
    "bounded_after_columns": (
        "with all_of_it as (select * from {{ ref('champion_forecasts') }}) "
        "select a.series_id from all_of_it as a "
        "where {{ origin_bounds('sku_weekly', 'a.origin_date') }}"
    ),
    "bounded_by_days": (
        "select series_id from {{ ref('forecast_errors') }} "
        "where {{ among_days('target_date', ['2026-02-16', '2026-02-23']) }}"
    ),
}


@pytest.fixture(scope="module")
def manifest(make_site: Callable[[], Site]) -> dict[str, Any]:
    """Compiled as a run finds the project whose tables are there: with literal dates."""
    site = make_site()
    models = site.copy_project() / "models" / "metrics"
    for name, query in {**UNBOUNDED, **BOUNDED}.items():
        config = "{{ config(materialized='table', contract={'enforced': false}) }}\n"
        (models / f"made_up_{name}.sql").write_text(config + query)
    context = site.context()
    ensure_tables(context)
    origins = [Origin(day("2026-02-15"), instant("2026-02-18 19:00"))]
    begin(context, context.new_run("replay", origins, RunOptions()))
    for node in context.dbt.manifest()["nodes"].values():
        if node["config"].get("materialized") == "incremental":
            project, dataset, table = compiled.table_name(node)
            context.warehouse.client.create_dataset(f"{project}.{dataset}", exists_ok=True)
            context.warehouse.create_table(f"{project}.{dataset}.{table}", compiled.contract(node))
    return compiled.compile_project(site)


def log_partitions() -> dict[str, str]:
    """The partitioned log tables, as the one macro that makes them says."""
    text = (ROOT / "macros" / "logs" / "log_tables.sql").read_text()
    return {
        name: found[1]
        for name, body in re.findall(
            r"^ {8}'(\w+)': \{\n(.*?)^ {8}\}", text, re.MULTILINE | re.DOTALL
        )
        if (found := re.search(r"'partition_by': '(\w+)'", body))
    }


@pytest.fixture(scope="module")
def looked_at(manifest: dict[str, Any]) -> tuple[Partitions, dict[str, list[Scan]]]:
    return scans_of_project(manifest, log_partitions())


@pytest.fixture(scope="module")
def whole(looked_at: tuple[Partitions, dict[str, list[Scan]]]) -> set[tuple[str, str]]:
    """(model, relation that it reads whole), of the project's own models."""
    return {
        (model, scan.relation)
        for model, scans in looked_at[1].items()
        for scan in scans
        if not model.startswith("made_up_")
    }


def test_every_partitioned_table_is_known(looked_at: tuple[Partitions, dict[str, list[Scan]]]):
    known = dict(looked_at[0].columns.values())
    assert known["forecasts"] == {"origin_date"}
    assert known["forecast_errors"] == {"target_date"}
    assert {name for name in log_partitions() if known[name] == {"origin_date"}} == {
        *("forecast_log", "model_log", "coefficient_log", "scenario_log")
    }
    assert known["champion_forecasts"] == {"origin_date"}, "a view hands it on"


def test_every_model_bounds_what_it_reads_of_a_partitioned_table(whole: set[tuple[str, str]]):
    unexplained = sorted(whole - READS_ALL.keys())
    assert not unexplained, (
        f"{unexplained}: bound the partition column by literal dates (origin_bounds, among_days), "
        "or say in READS_ALL why all of it is read."
    )


def test_no_exception_is_left_that_is_not_needed(whole: set[tuple[str, str]]):
    assert not READS_ALL.keys() - whole


@pytest.mark.parametrize("name", UNBOUNDED)
def test_a_model_that_reads_all_is_caught(
    name: str, looked_at: tuple[Partitions, dict[str, list[Scan]]]
):
    assert looked_at[1][f"made_up_{name}"] != []


@pytest.mark.parametrize("name", BOUNDED)
def test_a_model_that_bounds_what_it_reads_is_not(
    name: str, looked_at: tuple[Partitions, dict[str, list[Scan]]]
):
    assert looked_at[1][f"made_up_{name}"] == []


def python_statements() -> list[tuple[str, str]]:
    """(file, SQL) of every statement that stands whole in a Python file, relations in braces."""
    found = []
    for path in sorted((ROOT / "python_jobs").rglob("*.py")):
        name = path.relative_to(ROOT / "python_jobs").as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            is_query = isinstance(text, str) and re.match(r"\s*(with|select)\s", text)
            if is_query and re.search(r"\{[\w.]+\}", text) and not name.startswith("local/"):
                found.append((name, text))
    return found


def rendered(statement: str, names: dict[str, str]) -> str:
    """Relations in place of their names; those of a use case by their last part.

    What a job fills in by itself (a list of columns, the panel of one of two) is a name of nothing.
    """

    def relation(match: re.Match[str]) -> str:
        found = (names.get(f"{prefix}{match[1]}") for prefix in ("", "sku_weekly_"))
        return next((one for one in found if one), "filled_in")

    for given, filled_in in {"{scope}": "true", "{columns}": "", "{horizon_step}": ""}.items():
        statement = statement.replace(given, filled_in)
    text = re.sub(r"\{([\w.]+)\}", relation, statement)
    return text.replace("{{", "").replace("}}", "")


PAGES = "report_"


def test_python_bounds_what_it_reads_of_a_partitioned_table(
    manifest: dict[str, Any], looked_at: tuple[Partitions, dict[str, list[Scan]]]
):
    """A query parameter is a constant; so a statement may bound by one."""
    names = names_of(manifest)
    read = {
        (file, scan.relation)
        for file, statement in python_statements()
        for scan in looked_at[0].whole_scans(rendered(statement, names))
    }
    pages = {one for one in read if one[1].startswith(PAGES)}
    assert {file for file, _ in pages} <= {"report/marts.py"}, "a report shows all of a page"
    assert sorted(read - pages) == sorted(PYTHON_READS_ALL)
