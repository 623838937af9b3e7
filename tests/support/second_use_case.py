"""A second use case, made of the first one's files: nothing of it is special to SKUs.

`store_weekly` forecasts store x department, with integer keys and a global Ridge. Its models are
the one-line files of sku_weekly under another name, its settings a few lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

NAME = "store_weekly"
KEY: dict[str, str | None] = {"unit": "store", "channel": "dept", "sku_id": None}
"""The first use case's key columns, and what takes their place."""


def settings(first: dict[str, Any]) -> dict[str, Any]:
    """The use case's settings: those of the first one, with its own key, tables and family."""
    return {
        **first,
        "key": {"store": "int64", "dept": "int64"},
        "families": ["ridge"],
        "horizon": 3,
        "sources": {
            "sales": {
                "table": "store_sales",
                "columns": {
                    "store": "store",
                    "dept": "dept",
                    "date": "week_start",
                    "quantity": "dollars",
                },
            },
            "promotions": {
                "table": "store_promotions",
                "columns": {
                    "store": "store",
                    "dept": "dept",
                    "start_date": "start_date",
                    "end_date": "end_date",
                    "covers_from": "covers_from",
                    "covers_to": "covers_to",
                    "promo_share": "1",
                },
            },
        },
    }


def add_models(project: Path) -> None:
    """Copy the model files of sku_weekly for the second use case."""
    for path in sorted((project / "models").rglob("*sku_weekly*.*")):
        if path.name.startswith("distributor"):
            continue
        copy = Path(str(path).replace("sku_weekly", NAME))
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text().replace("sku_weekly", NAME)
        copy.write_text(_with_own_key(text) if path.suffix == ".yml" else text)
    sources = project / "models" / "sources.yml"
    text = sources.read_text()
    tables = re.search(r"  # The source tables of.*?(?=  # What Python writes)", text, re.S)
    assert tables is not None
    again = tables[0].replace("sku_weekly", NAME)
    sources.write_text(text.replace(tables[0], tables[0] + again))


def _with_own_key(text: str) -> str:
    """A model's YAML with the second use case's key, and without the first one's unit tests."""
    content = yaml.safe_load(text)
    content.pop("unit_tests", None)
    for model in content["models"]:
        if isinstance(model.get("columns"), list):
            model["columns"] = [c for column in model["columns"] if (c := _column(column))]
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def _column(column: dict[str, Any]) -> dict[str, Any] | None:
    prefix = "covers_" if column["name"].startswith("covers_") else ""
    part = column["name"].removeprefix(prefix)
    if part not in KEY:
        return column
    name, type_ = KEY[part], column["data_type"] if prefix else "int64"
    return {**column, "name": prefix + name, "data_type": type_} if name else None
