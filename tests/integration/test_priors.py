"""Pooled priors: made between two fits, versioned by run, shared by runs that make none.

Three series that sell 10, 20 and 40 each week, each level known with standard error 1. Centre 20;
quartiles 15 and 30, so s = 15 / 1.349 and spread = sqrt(s^2 - 1) + 1e-6; a fit with the prior is
(y + 20 / spread^2) / (1 + 1 / spread^2). From week 9 on A sells 16.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from python_jobs.infra.errors import LeaseHeld, RunStopped
from python_jobs.infra.logs import LOGGER
from python_jobs.infra.run import Selection, Shard
from python_jobs.infra.schedule import origin_at
from python_jobs.runs.context import RunOptions
from python_jobs.runs.train import train_models, train_step
from tests.support import golden
from tests.support.begun import begin
from tests.support.data_tests import data_tests
from tests.support.site import Site, day, instant

A, B, C = (f"N1|retail|{sku}" for sku in "ABC")
LEVELS = {"A": 10.0, "B": 20.0, "C": 40.0}
WEEKS = [day("2026-01-05") + timedelta(weeks=n) for n in range(9)]
FIRST, SECOND = instant("2026-03-04 19:00"), instant("2026-03-11 19:00")
ORIGIN_1, ORIGIN_2 = "2026-03-01", "2026-03-08"

SPREAD = math.sqrt((15 / 1.349) ** 2 - 1) + 1e-6


def drawn(level: float, centre: float = 20.0, spread: float = SPREAD) -> float:
    return round((level + centre / spread**2) / (1 + 1 / spread**2), 9)


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Trained as of the first Wednesday, then as of the second."""
    site = make_site()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {"families": ["window"], "min_pooled_series": 3}
    rows = [
        ("N1", "retail", sku, week, 16.0 if sku == "A" and n == 8 else level, 2.0, False)
        for sku, level in LEVELS.items()
        for n, week in enumerate(WEEKS)
    ]
    columns = ["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"]
    site.write("sales", pd.DataFrame(rows, columns=columns))
    site.write("promotions", golden.plan(unit="N1", channel="*", sku_id="A"))
    with data_tests():
        train(site, "R1", FIRST)
    train(site, "R2", SECOND)
    return site


def train(site: Site, run_id: str, as_of_at: object, series: str = "", **rest: object) -> object:
    selection = Selection(series) if series else None
    options = RunOptions(selection=selection, run_id=run_id, **rest)
    return train_models(site.context(), options, as_of_at=as_of_at)


def levels(site: Site, run_id: str) -> dict[str, float]:
    return {name: row[0] for name, row in trained(site, run_id).items()}


def trained(site: Site, run_id: str) -> dict[str, tuple]:
    rows = site.read(
        "select series_id, hyperparameters, metrics from {model_log} "
        "where run_id = @run_id and status = 'trained'",
        run_id=run_id,
    )
    return {
        row.series_id: (
            round(json.loads(row.metrics)["level"], 9),
            json.loads(row.hyperparameters)["priors"],
        )
        for row in rows.itertuples()
    }


PRIORS = """
select run_id, run_kind, origin_date, recipe, coefficient, centre, spread, n_series
from {portfolio_priors} order by run_id
"""


def test_every_series_is_fitted_again_with_the_priors_of_its_own_run(site: Site) -> None:
    own = {"run_id": "R1", "origin_date": ORIGIN_1}
    assert trained(site, "R1") == {
        A: (drawn(10), own),
        B: (drawn(20), own),
        C: (drawn(40), own),
    }
    a_week_later = (3 * 10 + 16) / 4
    quartiles = (a_week_later + 20) / 2, 30.0
    spread = math.sqrt(((quartiles[1] - quartiles[0]) / 1.349) ** 2 - 1) + 1e-6
    assert levels(site, "R2") == {
        A: drawn(a_week_later, spread=spread),
        B: drawn(20, spread=spread),
        C: drawn(40, spread=spread),
    }


def test_a_later_run_leaves_the_priors_of_an_earlier_one_as_they_were(site: Site) -> None:
    first, second = golden.table(site, PRIORS)[:2]
    assert first == ("R1", "train", ORIGIN_1, "window 4", "level", 20.0, round(SPREAD, 9), 3)
    assert second[:3] == ("R2", "train", ORIGIN_2)


def test_the_same_run_again_changes_no_prior(site: Site) -> None:
    before = golden.table(site, PRIORS)
    train(site, "R2", SECOND)
    assert golden.table(site, PRIORS) == before


def test_a_run_of_one_series_shares_the_priors_in_force(site: Site) -> None:
    """As of the first Wednesday that is what was pooled then, not what came a week later."""
    train(site, "ONE", FIRST, "*|A")
    assert trained(site, "ONE") == {A: (drawn(10), {"run_id": "R1", "origin_date": ORIGIN_1})}
    made = site.read("select distinct run_id from {coefficient_log} order by 1")
    assert list(made["run_id"]) == ["R1", "R2"]


def test_the_priors_in_force_are_those_that_an_origin_knew(site: Site) -> None:
    """An hour before the first ones there were none: a series would be fitted by itself."""
    context, earlier = site.context(), FIRST - timedelta(hours=1)
    for as_of_at, runs in ((earlier, []), (FIRST, ["R1"]), (SECOND, ["R2"])):
        origin = origin_at(context.use_case, as_of_at)
        begin(context, context.new_run("train", [origin], RunOptions()))
        assert (
            list(context.warehouse.read("select run_id from {priors_in_force}")["run_id"]) == runs
        )


def test_one_shard_of_many_without_steps_shares_the_priors_and_says_so(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    LOGGER.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, "shelfcast"):
            for index in (0, 1):
                _train_shard(site, index)
    finally:
        LOGGER.removeHandler(caplog.handler)
    assert levels(site, "SHARDS") == levels(site, "R2")
    assert "one shard of many only, so the newest priors in force" in caplog.text


def _train_shard(site: Site, index: int) -> None:
    """A shard without a series stops by itself."""
    try:
        train(site, "SHARDS", SECOND, shard=Shard(index, 2))
    except RunStopped as stopped:
        assert "no model was trained" in str(stopped)


def test_steps_in_containers_of_their_own_are_one_run(site: Site) -> None:
    context = site.context()

    def step(which: str, index: int = 0, count: int = 2) -> None:
        options = RunOptions(run_id="STEPS", shard=Shard(index, count))
        train_step(context, options, which, as_of_at=SECOND)

    with pytest.raises(RunStopped, match="Start with `shelfcast train --step before_forecast"):
        step("fit")
    step("before", count=1)
    step("coefficients", 0)
    with pytest.raises(RunStopped, match="1 of 2 tasks of run STEPS have ended their coefficients"):
        step("priors", count=1)
    step("coefficients", 1)
    step("priors", count=1)
    with pytest.raises(LeaseHeld):
        train(site, "OTHER", SECOND)
    step("fit", 0)
    with pytest.raises(LeaseHeld):
        train(site, "OTHER", SECOND)
    step("fit", 1)
    assert levels(site, "STEPS") == levels(site, "R2")
    assert trained(site, "STEPS")[A][1] == {"run_id": "STEPS", "origin_date": ORIGIN_2}
    leases: Path = Path(site.models_uri) / "leases"
    assert not list(leases.glob("*sku_weekly*"))


def test_too_few_series_make_no_prior_for_each_other(site: Site) -> None:
    site.use_cases["sku_weekly"]["min_pooled_series"] = 4
    try:
        train(site, "FEW", SECOND + timedelta(hours=1))
    finally:
        site.use_cases["sku_weekly"]["min_pooled_series"] = 3
    assert trained(site, "FEW") == {A: (11.5, None), B: (20.0, None), C: (40.0, None)}
    assert "FEW" not in {row[0] for row in golden.table(site, PRIORS)}
