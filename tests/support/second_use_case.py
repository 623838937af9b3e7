"""A second use case from the same templates: nothing of the first one is special to SKUs.

`store_weekly` forecasts store x department, with integer keys and a global Ridge. Its models are
rendered as `shelfcast use-case new` renders them, its settings are a few lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from python_jobs.infra.settings import load_settings
from python_jobs.use_cases.files import write_all
from python_jobs.use_cases.render import render

NAME = "store_weekly"


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


def add_models(project: Path, given: dict[str, Any], name: str = NAME) -> None:
    """Write the model files of a use case as `shelfcast use-case new` does.

    Args:
        project: a copy of the dbt project.
        given: the use case's settings, which decide what files it needs.
        name: of the use case.
    """
    files = rendered(project, given, name)
    write_all({project / path: text for path, text in files.items()})


def rendered(project: Path, given: dict[str, Any], name: str = NAME) -> dict[str, str]:
    """The model files of a use case by path within the project. Arguments as `add_models`."""
    own = orjson.dumps({"use_cases": {name: given}}).decode()
    return render(load_settings(project, {"SHELFCAST_SETTINGS": own}).use_case(name))
