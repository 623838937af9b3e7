"""A second use case, made of the first one's files: nothing of it is special to SKUs.

`store_weekly` forecasts store x department, with integer keys and a global Ridge. Its models are
the two folders of sku_weekly under another name, its settings a few lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

NAME = "store_weekly"

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
            copy = Path(str(path).replace("sku_weekly", name))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text().replace("sku_weekly", name))
