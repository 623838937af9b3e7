"""The recipe for Looker Studio, held against the marts; the addresses that open it on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from python_jobs.report.looker import links
from python_jobs.report.marts import PAGES
from tests.support import golden, second_use_case
from tests.support.commands import done
from tests.support.played import Played
from tests.support.site import ROOT, Site

TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
RECIPE = (ROOT / "docs" / "looker.md").read_text()
EXPOSURES = ("exposure.shelfcast.looker_studio_report", "exposure.shelfcast.html_report")


def sections() -> dict[str, str]:
    """The recipe's text by page."""
    parts = re.split(r"^## (\w+)$", RECIPE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def fields(text: str) -> dict[str, str]:
    """{field: type} of a section's table."""
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", text, flags=re.MULTILINE))


def test_the_recipe_has_every_page_in_their_order():
    assert list(sections()) == list(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_each_field_of_the_recipe_is_in_the_mart_with_its_type(played: Played, page: str):
    mart, text = f"report_{page}", sections()[page]
    assert f"`{mart}`" in text
    warehouse = played.site.context().warehouse
    columns = warehouse.columns(warehouse.table(mart))
    assert columns is not None
    named = fields(text)
    assert len(named) > 8
    found = {name: TYPES.get(columns[name], columns[name]) for name in named if name in columns}
    assert found == named


@pytest.mark.parametrize("page", PAGES)
def test_each_formula_of_the_recipe_is_made_of_fields_of_its_table(page: str):
    text = sections()[page]
    used = set(re.findall(r"(?:SUM|MAX|MIN)\(`?(\w+)`?\)", text))
    assert used <= set(fields(text))


@pytest.mark.parametrize("page", PAGES)
def test_each_mart_is_partitioned_and_every_column_is_described(played: Played, page: str):
    manifest = played.site.context().dbt.manifest()
    node = manifest["nodes"][f"model.shelfcast.report_{page}"]
    partition = node["config"]["partition_by"]
    assert partition["data_type"] == "date"
    assert f"| `{partition['field']}` | DATE | date range dimension" in sections()[page]
    assert node["config"]["contract"]["enforced"]
    assert [name for name, column in node["columns"].items() if not column["description"]] == []


def test_an_address_names_project_dataset_and_table_of_the_connection(played: Played):
    context = played.site.context()
    made = links(context.warehouse)
    assert list(made) == list(PAGES)
    for page, url in made.items():
        address = urlsplit(url)
        assert (
            address._replace(query="").geturl()
            == "https://lookerstudio.google.com/reporting/create"
        )
        assert parse_qs(address.query) == {
            "c.mode": ["edit"],
            "r.reportName": [f"Shelfcast: {PAGES[page]}"],
            "ds.connector": ["bigQuery"],
            "ds.datasourceName": [f"report_{page}"],
            "ds.type": ["TABLE"],
            "ds.projectId": ["shelfcast-local"],
            "ds.datasetId": [f"{played.site.dataset}_marts"],
            "ds.tableId": [f"report_{page}"],
        }


def test_a_template_is_copied_and_its_source_is_named_by_the_page(played: Played):
    url = done(played.site, "looker-links", "--template", "a&b").stdout.splitlines()[0]
    page, address = url.split("\t")
    query = parse_qs(urlsplit(address).query)
    assert page == "overview"
    assert query["c.reportId"] == ["a&b"]
    assert query["ds.overview.tableId"] == ["report_overview"]


def test_what_people_open_is_an_exposure_of_every_page_mart(played: Played):
    exposures = played.site.context().dbt.manifest()["exposures"]
    marts = {f"model.shelfcast.report_{page}" for page in PAGES}
    for name in EXPOSURES:
        exposure = exposures[name]
        assert set(exposure["depends_on"]["nodes"]) == marts, name
        assert exposure["owner"]["name"]
        assert exposure["url"]
        assert "Grain:" in exposure["description"]


@pytest.fixture(scope="module")
def two_use_cases(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    golden.sku_settings(site)
    second_use_case.add_models(site.copy_project())
    first = site.use_cases["sku_weekly"]
    site.use_cases[second_use_case.NAME] = second_use_case.settings(first)
    return site


def test_the_page_marts_and_exposures_of_two_use_cases_are_one_set(two_use_cases: Site):
    manifest = two_use_cases.context("sku_weekly").dbt.manifest()
    assert set(EXPOSURES) <= set(manifest["exposures"])
    models = {
        node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "model"
    }
    assert sorted(name for name in models if "report_" in name) == sorted(
        f"report_{page}" for page in PAGES
    )


def test_a_deployment_without_the_sku_forecast_has_page_marts_and_exposures_too(
    make_site: Callable[[], Site], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SHELFCAST_USE_CASE", second_use_case.NAME)  # dbt's runner sets it, too
    site = make_site()
    golden.sku_settings(site)
    second_use_case.add_models(site.copy_project())
    first = site.use_cases.pop("sku_weekly")
    site.use_cases[second_use_case.NAME] = second_use_case.settings(first)
    site.use_case = second_use_case.NAME
    context = site.context()
    manifest = context.dbt.manifest()
    assert set(EXPOSURES) <= set(manifest["exposures"])
    models = {name for name in manifest["nodes"] if name.startswith("model.")}
    assert [name for name in models if "sku_weekly" in name] == []
    assert list(manifest["nodes"]["model.shelfcast.report_intervals"]["columns"])[:5] == [
        *("use_case", "series_id", "store", "dept", "demand_class")
    ]
    assert list(links(context.warehouse)) == list(PAGES)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("runs", "alerts")])
def test_a_mart_has_the_key_of_each_use_case_between_series_and_measures(
    two_use_cases: Site, page: str
):
    manifest = two_use_cases.context("sku_weekly").dbt.manifest()
    columns = manifest["nodes"][f"model.shelfcast.report_{page}"]["columns"]
    names = list(columns)
    first = names.index("series_id") + 1
    assert names[0] == "use_case"
    assert names[first : first + 5] == ["unit", "channel", "sku_id", "store", "dept"]
    assert names[first + 5] == "demand_class"
    types = [columns[name]["data_type"] for name in names[first : first + 5]]
    assert types == ["string", "string", "string", "int64", "int64"]
    assert columns["store"]["description"].startswith("A column of the series' key")
