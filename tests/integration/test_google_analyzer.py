"""Google's own analyzer over all SQL that the project makes, under many settings.

Each variant of the settings is a use case of its own in one copy of the project, so that dbt reads
and compiles it once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import bigquery

from python_jobs.infra.schedule import Origin
from python_jobs.runs.context import RunOptions
from python_jobs.runs.tables import ensure_tables
from tests.support import compiled, googlesql, second_use_case
from tests.support import own_features as own_features_files
from tests.support.begun import begin
from tests.support.compiled import Analysis
from tests.support.googlesql import Columns, TableName
from tests.support.site import ROOT, Site, day, instant, project_vars

KINDS = ("model", "test")
PROJECT = "shelfcast-local"

SALES = {
    "unit": "string",
    "channel": "string",
    "sku_id": "string",
    "week_start": "date",
    "units_sold": "float64",
    "price": "float64",
    "is_sold_out": "bool",
    "loaded_at": "timestamp",
}
PROMOTIONS = {
    "unit": "string",
    "channel": "string",
    "sku_id": "string",
    "start_date": "date",
    "end_date": "date",
    "price": "float64",
    "discount": "float64",
    "kind": "string",
    "covers_unit": "string",
    "covers_channel": "string",
    "covers_from": "date",
    "covers_to": "date",
    "loaded_at": "timestamp",
}
WEATHER = {
    "location": "string",
    "date": "date",
    "kind": "string",
    "temperature_c": "float64",
    "issued_at": "timestamp",
}


def first_settings() -> dict[str, Any]:
    return copy.deepcopy(project_vars()["use_cases"]["sku_weekly"])


def store_weekly() -> dict[str, Any]:
    """Another key, of integers; a plan and nothing else about the future."""
    first = first_settings()
    first["regressors"] = {"promo_share": first["regressors"]["promo_share"]}
    return second_use_case.settings(first)


def own_columns() -> dict[str, Any]:
    """Every column is an expression over tables that look nothing like ours."""
    settings = first_settings()
    sources = settings["sources"]
    sources["sales"] |= {
        "table": "warehouse_exports.erp.sell_out",
        "columns": {
            "unit": "upper(shop.name)",
            "channel": "if(is_web, 'web', 'shop')",
            "sku_id": "article",
            "date": "parse_date('%d.%m.%Y', week_label)",
            "quantity": "packs * pack_size",
            "price": "safe_divide(revenue, packs)",
            "is_sold_out": "stock = 0",
            "promo_share": "promo_days / 7",
        },
        "known_at": "timestamp(file_date, 'Europe/Moscow')",
    }
    sources["promotions"] |= {
        "table": "erp_plan",
        "columns": {
            "unit": "'*'",
            "channel": "'*'",
            "sku_id": "cast(article as string)",
            "start_date": "period.begins",
            "end_date": "period.ends",
            "discount": "percent / 100",
            "promo_share": "if(percent > 0, 1, 0)",
        },
        "known_at": "",
    }
    settings["sources"]["weather"] |= {
        "columns": {
            "location": "city",
            "date": "date(hour)",
            "temperature_c": "(fahrenheit - 32) / 1.8",
        },
        "table": "weather_hourly",
        "known_at": "",
        "location_of_series": "split(unit, '-')[safe_offset(0)]",
    }
    return settings


def weeks_of_days() -> dict[str, Any]:
    """Weeks from Thursday made of a table of days whose label is the last day, off by three."""
    settings = first_settings()
    settings |= {
        "week_starts_on": "thursday",
        "horizon": 8,
        "aggregate": "last",
        "gaps_mean": "zero",
        "when_stale": "warn",
        "time_zone": "America/New_York",
    }
    settings["sources"]["sales"] |= {
        "grain": "day",
        "date_means": "period_end",
        "label_offset_days": -3,
        "negative_quantity": "return",
    }
    settings["sources"]["promotions"]["no_row_means"] = "unknown"
    settings["regressors"]["temperature_c"]["when_missing"] = "carry_last"
    settings["regressors"]["promo_share"]["when_missing"] = "stop_run"
    settings["regressors"]["holiday_share"]["names"] = ["Новый год", "New Year"]
    return settings


def sales_only() -> dict[str, Any]:
    """A sales table of four columns, read as it now stands: no plan, no weather, no regressor."""
    settings = first_settings()
    columns = settings["sources"]["sales"]["columns"]
    kept = ("unit", "channel", "sku_id", "date", "quantity")
    settings["sources"] = {
        "sales": {"table": "sales", "columns": {name: columns[name] for name in kept}}
    }
    settings["regressors"] = {}
    return settings


def daily_price() -> dict[str, Any]:
    """A daily price, one step ahead."""
    settings = first_settings()
    settings |= {
        "grain": "day",
        "horizon": 1,
        "season": 7,
        "measure": "price",
        "aggregate": "mean",
    }
    settings["sources"]["sales"]["negative_quantity"] = "keep"
    settings["sources"]["sales"]["known_at"] = ""
    return settings


def own_features() -> dict[str, Any]:
    """Features of every kind, a training row a horizon step, and a context."""
    settings = first_settings()
    settings |= {
        "grain": "day",
        "training_grain": "horizon_step",
        "context_length": 28,
        "features": {
            "lags": [1, 2, 364],
            "rolling": [
                {"statistic": statistic, "window": 7, "lag": 4}
                for statistic in ("mean", "std", "min", "max")
            ],
            "date_parts": [
                *("day_of_week", "day_of_month", "day_of_year", "week_of_year"),
                *("month", "quarter", "year"),
            ],
            "attributes": ["store_size"],
            "columns": ["stock"],
        },
    }
    columns = {"unit": "shop", "store_size": "square_feet / 10"}
    settings["sources"]["attributes"] = {"columns": columns, "known_at": "updated_at"}
    settings["regressors"]["fuel_price"] = {"future": "given", "when_missing": "carry_last"}
    given = {"unit": "shop", "channel": "site", "date": "date(hour)", "fuel_price": "price"}
    settings["sources"]["regressors"] = {"columns": given, "known_at": "hour"}
    return settings


WRITTEN = """
select series_id, origin_date, ds, horizon_step, y_lag2 / 2 as stock
from {{ ref('own_features_panel_features') }}
"""
VARIANTS: dict[str, Callable[[], dict[str, Any]]] = {
    "sku_weekly": first_settings,
    second_use_case.NAME: store_weekly,
    "own_columns": own_columns,
    "weeks_of_days": weeks_of_days,
    "sales_only": sales_only,
    "daily_price": daily_price,
    "own_features": own_features,
}

RAW = {
    "sales": SALES,
    "promotions": PROMOTIONS,
    "weather_daily": WEATHER,
    "attributes": {"shop": "string", "square_feet": "int64", "updated_at": "date"},
    "regressors": {"shop": "string", "site": "string", "hour": "datetime", "price": "numeric"},
    "store_sales": {"store": "int64", "dept": "int64", "week_start": "date", "dollars": "numeric"},
    "store_promotions": {
        **dict.fromkeys(("store", "dept"), "string"),
        **dict.fromkeys(("start_date", "end_date", "covers_from", "covers_to"), "date"),
    },
    "erp_plan": {
        "article": "int64",
        "percent": "int64",
        "period": "struct<begins date, ends date>",
    },
    "weather_hourly": {"city": "string", "hour": "timestamp", "fahrenheit": "int64"},
}


def scenarios(settings: dict[str, Any]) -> dict[str, str]:
    """The columns of a use case's table of scenarios, which Shelfcast makes."""
    values = ["price" if name == "log_price_ratio" else name for name in settings["regressors"]]
    return {
        **dict.fromkeys(("scenario", *settings["key"]), "string"),
        "date": "date",
        **dict.fromkeys(values, "float64"),
        "loaded_at": "timestamp",
        "loaded_from": "string",
        "unparsed": "string",
    }


RAW |= {f"{name}_scenarios": scenarios(settings()) for name, settings in VARIANTS.items()}
SELL_OUT = {
    "shop": "struct<name string>",
    "is_web": "bool",
    "article": "string",
    "week_label": "string",
    "packs": "int64",
    "pack_size": "numeric",
    "revenue": "numeric",
    "stock": "int64",
    "promo_days": "int64",
    "file_date": "datetime",
}

WRONG = {
    "wrong_comparison": "select series_id from {{ ref('forecasts') }} where horizon_step = '1'",
    "wrong_column": "select yhat_median as series_id from {{ ref('forecasts') }}",
    "wrong_type": "select cast(ds as timestamp) as series_id from {{ ref('sku_weekly_actuals') }}",
}


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """A fresh warehouse, except for one run of one use case, which puts literal dates into SQL."""
    site = make_site()
    project = site.copy_project()
    site.use_cases = {name: settings() for name, settings in VARIANTS.items()}
    for name in set(VARIANTS) - {"sku_weekly"}:
        second_use_case.add_models(project, site.use_cases[name], name)
    own_features_files.add_models(project, "own_features", site.use_cases["own_features"], WRITTEN)
    for name, query in WRONG.items():
        (project / "models" / "forecasts" / f"{name}.sql").write_text(query)
        (project / "models" / "forecasts" / f"{name}.yml").write_text(
            f"models: [{{name: {name}, columns: [{{name: series_id, data_type: date}}]}}]"
        )
    (project / "analyses").mkdir()
    for table in log_tables():
        (project / "analyses" / f"ddl_{table}.sql").write_text(
            f"{{{{ log_table_ddl('logs', '{table}', log_tables()['{table}']) }}}}"
        )
    context = site.context("sku_weekly")
    ensure_tables(context)
    origins = [Origin(day("2026-02-15"), instant("2026-02-18 19:00"))]
    begin(context, context.new_run("replay", origins, RunOptions()))
    return site


def log_tables() -> list[str]:
    """The log tables, as sources.yml names them."""
    sources = yaml.safe_load((ROOT / "models" / "sources.yml").read_text())["sources"]
    return [t["name"] for source in sources if source["name"] == "logs" for t in source["tables"]]


@pytest.fixture(scope="module")
def tables(site: Site, bigquery_client: bigquery.Client) -> dict[TableName, Columns]:
    """What stands before dbt: the log tables as the warehouse has them, the sources as given."""
    return {
        **compiled.columns_of(bigquery_client, f"{PROJECT}.{site.dataset}_logs"),
        **{(PROJECT, f"{site.dataset}_raw", name): columns for name, columns in RAW.items()},
        ("warehouse_exports", "erp", "sell_out"): SELL_OUT,
    }


@pytest.fixture(scope="module")
def first_build(site: Site, tables: dict[TableName, Columns]) -> tuple[dict[str, Any], Analysis]:
    """The project as a fresh warehouse compiles it."""
    manifest = compiled.compile_project(site)
    return manifest, compiled.analyse(manifest, tables)


def those_of(names: Iterable[str], variant: str) -> set[str]:
    return {name for name in names if variant in name}


def models_and_contracts(variant: str) -> set[str]:
    """The models that the variant's sources need, and the test of each feature's contract."""
    paths = second_use_case.rendered(ROOT, VARIANTS[variant](), variant)
    models = {Path(path) for path in paths if path.endswith(".sql")}
    features = {path.stem for path in models if "features" in path.parts}
    assert len(features) >= 10
    return {path.stem for path in models} | {f"holds_its_contract_{name}_" for name in features}


def listed(found: dict[str, Any]) -> str:
    return "\n\n".join(f"{name}: {value}" for name, value in sorted(found.items()))


@pytest.mark.parametrize("variant", VARIANTS)
def test_google_accepts_every_model_and_data_test_of(variant, first_build):
    manifest, analysis = first_build
    names = {n["name"] for n in manifest["nodes"].values() if n["resource_type"] in KINDS}
    assert models_and_contracts(variant) <= names
    wrong = those_of(analysis.refused, variant)
    assert not wrong, listed({name: analysis.refused[name] for name in wrong})


def test_google_accepts_what_all_use_cases_share(first_build):
    _, analysis = first_build
    theirs = set().union(*(those_of(analysis.refused, variant) for variant in VARIANTS))
    wrong = set(analysis.refused) - theirs - set(WRONG)
    assert not wrong, listed({name: analysis.refused[name] for name in wrong})


def test_every_column_has_the_type_that_its_yaml_says(first_build):
    found = differences(*first_build)
    for name in WRONG:
        found.pop(name, None)
    assert not found, listed(found)


def test_every_column_of_an_enforced_contract_was_compared(first_build):
    """A contract without types, or a model without columns, would compare nothing."""
    manifest, analysis = first_build
    enforced = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["config"]["contract"]["enforced"]
        and node["name"] not in WRONG
    ]
    assert len(enforced) > 90
    for node in enforced:
        assert set(compiled.contract(node)) == set(analysis.types[node["name"]]), node["name"]


def differences(manifest: dict[str, Any], analysis: Analysis) -> dict[str, str]:
    """Each model whose columns are not those of its YAML, with what differs.

    Where the contract is not enforced (staging) YAML may name some of the columns.
    """
    found = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model":
            continue
        said, typed = compiled.contract(node), analysis.types[node["name"]]
        is_enforced = node["config"]["contract"]["enforced"]
        apart = {
            column: f"YAML {said.get(column)}, Google {typed.get(column)}"
            for column in (said | typed if is_enforced else said)
            if said.get(column) != typed.get(column)
        }
        if apart:
            found[node["name"]] = str(apart)
    return found


REPLACES_ITS_DAY = {"distributor_model_performance_metrics"}
"""Incremental models whose query stays the same once their table is there."""


def test_google_accepts_the_statements_that_rebuild_a_partition(site, tables, first_build):
    """An incremental model is another query once its table is there."""
    manifest, analysis = first_build
    incremental = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["config"].get("materialized") == "incremental"
    }
    warehouse = site.context("sku_weekly").warehouse
    for node in incremental.values():
        project, dataset, table = compiled.table_name(node)
        warehouse.client.create_dataset(f"{project}.{dataset}", exists_ok=True)
        warehouse.create_table(f"{project}.{dataset}.{table}", compiled.contract(node))
    again = compiled.compile_project(site, "", "--select", "config.materialized:incremental")
    for name, node in incremental.items():
        rebuilt = again["nodes"][node["unique_id"]]
        is_same = rebuilt["compiled_code"] == node["compiled_code"]
        assert is_same == (name in REPLACES_ITS_DAY), name
    known = {
        compiled.table_name(node): analysis.types[node["name"]]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    second = compiled.analyse(again, {**tables, **known}, only=incremental)
    assert set(second.types) == set(incremental)
    assert not second.refused, listed(second.refused)
    assert second.types == {name: analysis.types[name] for name in incremental}


def test_google_makes_the_log_tables_as_the_warehouse_has_them(site, tables, first_build):
    manifest, _ = first_build
    made = {
        node["name"].removeprefix("ddl_"): googlesql.analyse(node["compiled_code"], {})
        for node in manifest["nodes"].values()
        if node["resource_type"] == "analysis"
    }
    assert set(made) == set(log_tables())
    for name, columns in made.items():
        assert columns == spelled(tables[PROJECT, f"{site.dataset}_logs", name])


def spelled(columns: Columns) -> dict[str, str]:
    """Types of BigQuery's API as GoogleSQL writes them."""
    names = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
    return {column: names.get(kind, kind) for column, kind in columns.items()}


def test_a_use_case_that_the_settings_leave_out_takes_no_part(make_site, tables):
    """And Google accepts the rest: here what all use cases share is of one use case alone."""
    site = make_site()
    second_use_case.add_models(site.copy_project(), store_weekly())
    site.use_cases = {second_use_case.NAME: store_weekly()}
    ensure_tables(site.context(second_use_case.NAME))
    manifest = compiled.compile_project(site, second_use_case.NAME)
    analysis = compiled.analyse(manifest, renamed(tables, site.dataset))
    assert {f"{second_use_case.NAME}_gate", "forecasts", "forecast_errors"} <= set(analysis.types)
    assert not those_of(analysis.types, "sku_weekly")
    assert not analysis.refused, listed(analysis.refused)


def renamed(tables: dict[TableName, Columns], prefix: str) -> dict[TableName, Columns]:
    """The same tables in another deployment's datasets."""
    return {
        (project, f"{prefix}_{dataset.rpartition('_')[2]}", name): columns
        for (project, dataset, name), columns in tables.items()
    }


class TestTheTestsThemselves:
    def test_a_comparison_of_an_integer_with_a_text_is_refused(self, first_build):
        _, analysis = first_build
        assert "No matching signature" in analysis.refused["wrong_comparison"]

    def test_a_column_that_is_not_there_is_refused(self, first_build):
        _, analysis = first_build
        assert "Unrecognized name: yhat_median" in analysis.refused["wrong_column"]

    def test_a_type_that_is_not_the_contracts_is_told(self, first_build):
        told = differences(*first_build)["wrong_type"]
        assert told == "{'series_id': 'YAML DATE, Google TIMESTAMP'}"
