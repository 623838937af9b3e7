"""Addresses that open Looker Studio on the page marts, by its Linking API.

https://developers.google.com/looker-studio/integrate/linking-api
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from python_jobs.infra.warehouse import Warehouse
from python_jobs.report.marts import PAGES

CREATE = "https://lookerstudio.google.com/reporting/create"


def links(warehouse: Warehouse, template: str = "") -> dict[str, str]:
    """One address a page: each makes a report with the page's mart as its data source.

    A mart holds every use case; a page filters by `use_case`.

    Args:
        warehouse: knows where each mart lies.
        template: id of a report to copy; its data source needs the page's name as its alias. Empty:
            a blank report.

    Returns:
        Address by page, in the order in which the pages are read.
    """
    return {
        page: _link(page, warehouse.table(f"report_{page}"), f"Shelfcast: {title}", template)
        for page, title in PAGES.items()
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
