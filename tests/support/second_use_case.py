"""A second use case, made of the first one's files: nothing of it is special to SKUs.

`store_weekly` forecasts store x department, with integer keys and a global Ridge. Its models are
the one-line files of sku_weekly under another name, its settings a few lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

NAME = "store_weekly"
KEY: dict[str, str | None] = {"unit": "store", "channel": "dept", "sku_id": None}
"""The first use case's key columns, and what takes their place."""

FOLDERS = ("staging", "features")
"""The folders of models/ that hold what a use case consists of."""


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


def add_models(project: Path, name: str = NAME) -> None:
    """Copy the two folders of sku_weekly under another name. Its unit tests stay its own."""
    for folder in FOLDERS:
        for path in (project / "models" / folder / "sku_weekly").glob("*.*"):
            _copy(path, name, path.read_text())
    for path in (project / "models" / "marts" / "sku_weekly").glob("sku_weekly_report_*"):
        text = path.read_text()
        _copy(path, name, _with_own_key(text) if name == NAME and path.suffix == ".yml" else text)


def _copy(path: Path, name: str, text: str) -> None:
    copy = Path(str(path).replace("sku_weekly", name))
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text.replace("sku_weekly", name))


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
