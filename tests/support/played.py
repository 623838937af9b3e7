"""The golden fortnight played on a fresh warehouse, with what each dbt stage built on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from python_jobs.infra.dbt_runner import Dbt
from python_jobs.runs import replay
from tests.support import golden
from tests.support.data_tests import data_tests
from tests.support.site import Site


@dataclass
class Played:
    """A site where a run has been.

    Attributes:
        site: whoever changes its tables puts them back.
        stages: each stage of dbt in the order run, with the status of each of its nodes.
    """

    site: Site
    stages: dict[str, dict[str, str]]


def play(site: Site) -> Played:
    """Replay both Wednesdays where nothing was ever built; then W9 arrives, and monitoring runs."""
    golden.make(site)
    with data_tests(), recorded_stages() as stages:
        context = site.context()
        replay.replay(context, golden.FIRST, golden.SECOND, is_as_issued=True)
        site.write("sales", w9())
        context.dbt.build("monitoring")
    return Played(site, stages)


def w9() -> pd.DataFrame:
    """What A and B sold in the week after the golden ones."""
    rows = golden.sku_sales().query("sku_id in ('A', 'B')").drop_duplicates("sku_id")
    return rows.assign(week_start=golden.WEEK["W9"], units_sold=[11.0, 4.0])


@contextmanager
def recorded_stages() -> Iterator[dict[str, dict[str, str]]]:
    """Fill a dictionary with each stage that dbt runs within, and the status of its nodes."""
    stages: dict[str, dict[str, str]] = {}
    run = Dbt.run

    def recorded(self: Dbt, command: str, *arguments: str, **rest: Any) -> Any:
        done = run(self, command, *arguments, **rest)
        if command == "build" and "--selector" in arguments:
            selector = arguments[arguments.index("--selector") + 1]
            stages[selector] = {one.node.unique_id: f"{one.status}" for one in done.results}
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dbt, "run", recorded)
        yield stages
