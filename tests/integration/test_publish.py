"""`vars: publish:` puts a mart under the dataset and name that people know."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import bigquery

from python_jobs.infra.errors import DbtFailed
from tests.support import golden
from tests.support.played import Played
from tests.support.site import Site

MART = "distributor_forecasts_weekly"
ROWS = "select * from {%s} order by sku_id, forecast_date, target_date"


@pytest.fixture(scope="module")
def make_twin(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Make deployments over the played one's datasets, with a `publish` of their own."""

    def make(**published: str) -> Site:
        one = played.site
        return Site(
            tmp_path_factory.mktemp("twin"),
            one.endpoints,
            use_cases=one.use_cases,
            extra_vars={"publish": published},
            dataset=one.dataset,
            models_uri=one.models_uri,
        )

    return make


@pytest.fixture(scope="module")
def twin(make_twin: Any, played: Played) -> Site:
    twin = make_twin(**{MART: f"{played.site.dataset}_rich.forecasts_by_week"})
    twin.context().dbt.run("build", "--select", MART, "--exclude-resource-type", "unit_test")
    return twin


def table_of(site: Site) -> bigquery.Table:
    warehouse = site.context().warehouse
    return warehouse.client.get_table(warehouse.relation(MART).replace("`", ""))


def test_a_published_mart_holds_the_rows_of_the_mart(twin: Site, played: Played) -> None:
    own = golden.table(played.site, ROWS % MART)
    rich = f"select * from {twin.dataset}_rich.forecasts_by_week "
    published = golden.table(twin, rich + "order by sku_id, forecast_date, target_date")
    assert len(published) == len(golden.PLANNERS_ROWS)
    assert published == own


def test_jobs_find_a_published_mart_where_it_is_and_nothing_else_has_moved(
    twin: Site, played: Played
) -> None:
    moved, own = twin.context().warehouse.names, played.site.context().warehouse.names
    assert moved[MART].endswith(f"`{twin.dataset}_rich`.`forecasts_by_week`")
    assert {name for name in own if own[name] != moved[name]} == {MART}


def test_a_published_mart_keeps_its_description_and_its_columns_descriptions(
    twin: Site, played: Played
) -> None:
    own, published = (table_of(site) for site in (played.site, twin))
    assert published.description
    assert published.description == own.description
    assert [(c.name, c.field_type, c.description) for c in published.schema] == [
        (c.name, c.field_type, c.description) for c in own.schema
    ]


def test_publish_refuses_a_model_that_is_not_there_and_a_place_that_is_none(
    make_twin: Any,
) -> None:
    twin = make_twin(distributor_forecast_weekly="rich.forecasts", accuracy_by_target_date="rich")
    with pytest.raises(DbtFailed) as refused:
        twin.context().dbt.run("run", "--select", "accuracy_by_target_date")
    assert "publish: no model is named 'distributor_forecast_weekly'" in str(refused.value)
    assert "publish.accuracy_by_target_date: 'rich' is not 'dataset.name'" in str(refused.value)
