"""`dbt docs generate` on the emulators: the catalog knows every table, its columns and types."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import pytest

from tests.support.played import Played
from tests.support.site import ROOT

MODEL_LOGS = ("model_log", "model_events", "coefficient_log")
BIGQUERY_TYPES = {"STRING", "INT64", "FLOAT64", "BOOL", "DATE", "TIMESTAMP"}


@pytest.fixture(scope="module")
def catalog(played: Played) -> dict[str, Any]:
    context = played.site.context()
    context.dbt.run("docs generate")
    return json.loads((context.dbt.target_path / "catalog.json").read_text())


def test_the_catalog_has_every_model_and_seed_with_the_columns_of_its_contract(
    played: Played, catalog: dict[str, Any]
) -> None:
    manifest = played.site.context().dbt.manifest()
    nodes = {
        name: node
        for name, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed")
    }
    assert catalog["errors"] is None
    assert nodes.keys() == catalog["nodes"].keys()
    for name, node in nodes.items():
        found = {
            column: entry["type"].lower()
            for column, entry in catalog["nodes"][name]["columns"].items()
        }
        written = {
            column: entry["data_type"].lower()
            for column, entry in node["columns"].items()
            if entry["data_type"]
        }
        if node["config"]["contract"]["enforced"]:
            assert found == written, name
        assert written.items() <= found.items(), name


def test_the_catalog_has_the_log_tables_and_the_sources_that_exist(
    catalog: dict[str, Any],
) -> None:
    found = {name.removeprefix("source.shelfcast.") for name in catalog["sources"]}
    logs = {
        *("run_origins", "run_activations", "forecast_log", "run_log", "alert_log"),
        *MODEL_LOGS,
    }
    logs |= {"upload_log", "scenario_log"}
    assert found == {
        *(f"logs.{name}" for name in logs),
        "sku_weekly_scenarios.rows",
        "sku_weekly_sales.rows",
        "sku_weekly_promotions.rows",
    }


def test_the_catalog_tells_views_from_tables_and_names_types_as_bigquery_does(
    catalog: dict[str, Any],
) -> None:
    kinds = {
        name.split(".")[-1]: entry["metadata"]["type"] for name, entry in catalog["nodes"].items()
    }
    assert kinds["stg_sku_weekly_sales"] == kinds["run_forecasts"] == "view"
    assert kinds["sku_weekly_series"] == kinds["forecasts"] == "table"
    types = {
        column["type"]
        for entry in catalog["nodes"].values()
        for column in entry["columns"].values()
    }
    assert types <= BIGQUERY_TYPES


@pytest.mark.parametrize("macro", ["bigquery__get_catalog", "bigquery__get_catalog_relations"])
def test_on_bigquery_the_catalog_is_read_by_the_statement_of_the_adapter(macro: str) -> None:
    class Stock:
        @staticmethod
        def answer(*_: object) -> str:
            return "the adapter's own"

    setattr(Stock, macro, Stock.answer)
    text = (ROOT / "macros" / "dbt" / f"{macro}.sql").read_text()
    template = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(text)
    context = {"target": {"name": "prod"}, "dbt_bigquery": Stock, "return": _Return.of}
    with pytest.raises(_Return) as returned:
        getattr(template.make_module(context), macro)(None, ["dataset"])
    assert returned.value.args == ("the adapter's own",)


class _Return(Exception):
    """dbt's `return` ends the macro."""

    @staticmethod
    def of(value: object) -> None:
        raise _Return(value)
