"""Addresses that open Looker Studio on the page marts, by its Linking API.

https://developers.google.com/looker-studio/integrate/linking-api
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Warehouse
from python_jobs.report.marts import PAGES

CREATE = "https://lookerstudio.google.com/reporting/create"


def links(warehouse: Warehouse, use_case: UseCase, template: str = "") -> dict[str, str]:
    """One address a page: each makes a report with the page's mart as its data source.

    Args:
        warehouse: knows where each mart lies.
        use_case: whose.
        template: id of a report to copy; its data source needs the page's name as its alias. Empty:
            a blank report.

    Returns:
        Address by page, in the order in which the pages are read.

    Raises:
        SettingsError: the use case has no page marts.
    """
    marts = {page: f"{use_case.name}_report_{page}" for page in PAGES}
    missing = [mart for mart in marts.values() if mart not in warehouse.names]
    if missing:
        raise SettingsError(
            f"{use_case.name} has no page marts: the project has no model named '{missing[0]}'. "
            "Write the one-line models of models/marts/sku_weekly/ for it."
        )
    return {
        page: _link(page, warehouse.table(mart), f"Shelfcast: {PAGES[page]}", template)
        for page, mart in marts.items()
    }


def _link(page: str, table: str, title: str, template: str) -> str:
    project, dataset, name = table.rsplit(".", 2)
    parameters = {
        **({"c.reportId": template} if template else {}),
        "c.mode": "edit",
        "r.reportName": title,
        f"ds.{page}.connector": "bigQuery",
        f"ds.{page}.datasourceName": name,
        f"ds.{page}.type": "TABLE",
        f"ds.{page}.projectId": project,
        f"ds.{page}.datasetId": dataset,
        f"ds.{page}.tableId": name,
    }
    if not template:
        # A blank report has no data source, hence no alias to name.
        parameters = {key.replace(f"ds.{page}.", "ds."): text for key, text in parameters.items()}
    return f"{CREATE}?{urlencode(parameters, quote_via=quote)}"
