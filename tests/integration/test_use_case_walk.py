"""A new user's walk: `use-case new` on a CSV, then load, backtest, train and the week's run.

The use case stands beside sku_weekly, which nothing was ever built of.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from python_jobs.runs.issue import issue
from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site

NEWEST = date.today() - timedelta(days=date.today().weekday() + 2)
"""The Saturday before the running week, which ends a week from Sunday to Saturday."""


def sales_file(folder: Path) -> str:
    """Two stores, a row a Saturday for 60 weeks; a fifth have none, and none a 0."""
    noise = np.random.default_rng(5)
    days = [NEWEST - timedelta(days=7 * at) for at in range(60)][::-1]
    rows = [
        f"{store},{day:%d.%m.%Y},{noise.poisson(20 * store) + 1}"
        for store in (1, 2)
        for at, day in enumerate(days)
        if at in (0, 59) or (at + store) % 5
    ]
    path = folder / "sales.csv"
    path.write_text("\n".join(["Store,week_ending,pieces", *rows]) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """The walk up to accuracy beside baselines."""
    site = make_site()
    site.copy_project()
    environment = {"SHELFCAST_USE_CASE": "store_weekly"}
    path = sales_file(site.folder)
    new = ["use-case", "new", "store_weekly", "--key", "store:int64", "--sales", path]
    done(site, *new, "--horizon", "2", "--season", "4")
    written = (site.folder / "settings.yml").read_text()  # what the site writes again from then on
    site.use_cases = yaml.safe_load(written)["use_cases"]
    site.use_case = "store_weekly"
    done(site, "load", path, "--as", "sales", "--history", **environment)
    done(site, "backtest", "--origins", "2", "--to", f"{NEWEST}", **environment)
    return site


def test_the_files_are_current(site: Site):
    output = done(site, "use-case", "check", "store_weekly").output
    assert output == "store_weekly: 12 files: 12 current\n"


def test_weeks_end_on_the_files_date_and_gaps_are_nothing_sold(site: Site):
    last = golden.table(site, "select max(ds), countif(y = 0) > 0 from {store_weekly_actuals}")
    assert last == [(f"{NEWEST - timedelta(days=6)}", True)]


def test_the_backtest_has_accuracy_beside_baselines(site: Site):
    rows = golden.table(
        site,
        """
        select model_name, n_scored from {accuracy_by_use_case}
        where use_case = 'store_weekly' and run_kind = 'backtest' and basis = 'comparable'
        order by model_name
        """,
    )
    assert [name for name, _ in rows] == ["mean_4", "mean_8", "naive", "prophet", "seasonal_naive"]
    assert len({n for _, n in rows}) == 1
    assert rows[0][1] > 0


def test_sales_that_are_all_history_can_be_forecast(site: Site):
    """Such rows say no instant at which they were known, and so no age."""
    now = datetime.combine(NEWEST + timedelta(days=2), datetime.min.time(), tzinfo=UTC)
    report = issue(site.context(), now=now.replace(hour=22))
    assert report.n_forecast == 2
    rows = golden.table(site, "select count(*) from {forecasts} where use_case = 'store_weekly'")
    assert rows[0][0] >= 4


def test_scenarios_need_a_regressor(site: Site):
    result = shelfcast(site, "what-if", "--scenario", "spring", SHELFCAST_USE_CASE="store_weekly")
    assert result.exit_code == 2
    assert "has no regressors" in error_of(result)
