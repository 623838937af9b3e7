"""A retraining that dies between its logs goes on with what it had decided, and ends the same.

One series makes eight load jobs: run_origins, run_log (before: started, ended; retrain: started),
model_log (the models), model_log (the recipe in force), model_events, run_log (retrain ended). The
public copy is replaced between the fifth and the sixth.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support import children, golden
from tests.support.commands import done, shelfcast
from tests.support.site import Site
from tests.support.weeks_compared import A, make

RETRAIN = ("retrain", "--series", A, "--as-of", "2026-06-24T22:00", "--run-id", "K1")
AFTER_THE_MODELS, BEFORE_THE_EVENTS = "5", "7"


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    return make(make_site().in_bucket())


def logged(site: Site) -> list[tuple]:
    return golden.table(
        site,
        """
        select 'event' as what, stage as x from {model_events} where run_id = 'K1'
        union all select 'log' as what, status as x from {model_log} where run_id = 'K1'
        order by what, x
        """,
    )


def level_shown(site: Site) -> float:
    return float(json.loads(site.context().store.get("models/sku_weekly/N1/retail/A.json")))


def test_a_retraining_killed_and_run_again_ends_the_same(site: Site) -> None:
    before = level_shown(site)
    killed = children.shelfcast(
        site, "--jobs", "2", *RETRAIN, TEST_KILL_AFTER_LOADS=AFTER_THE_MODELS
    )
    assert children.was_killed(killed), killed.stderr
    assert logged(site) == [("log", "trained")] * 2
    assert level_shown(site) == before

    # Nobody has retrained the series: its old model serves, and the lease says who holds it.
    refused = shelfcast(site, *RETRAIN[:-2])
    assert refused.exit_code == 1
    assert "is held by run K1 (retrain)" in refused.stderr

    killed = children.shelfcast(site, *RETRAIN, TEST_KILL_BEFORE_LOAD=BEFORE_THE_EVENTS)
    assert children.was_killed(killed), killed.stderr
    assert logged(site) == [("log", "chosen"), *[("log", "trained")] * 2]
    assert level_shown(site) == 240.0

    done(site, *RETRAIN)
    whole = [("event", "candidate"), ("event", "serving"), ("log", "chosen")]
    whole += [("log", "trained")] * 2
    assert logged(site) == whole
    done(site, *RETRAIN)
    assert logged(site) == whole
    assert level_shown(site) == 240.0
