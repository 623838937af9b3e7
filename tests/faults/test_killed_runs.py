"""A run that dies in the middle changes nothing that anyone reads, and can be run again.

A replay of the golden fortnight makes eight load jobs: run_origins, run_log (before: started,
ended; predict: started), forecast_log, run_log (predict ended; after: started, ended).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import children, golden
from tests.support.commands import done, shelfcast
from tests.support.data_tests import data_tests
from tests.support.site import Site

REPLAY = ("replay", "--from", str(golden.FIRST), "--to", str(golden.SECOND), "--as-issued")
BEFORE_FORECAST_LOG, AFTER_FORECAST_LOG = "4", "5"


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site], trained_fortnight: Site) -> Site:
    return golden.copy(trained_fortnight, make_site().in_bucket())


def test_a_run_killed_half_way_and_run_again_is_as_if_undisturbed(site: Site) -> None:
    first = children.shelfcast(
        site, *REPLAY, "--run-id", "R1", TEST_KILL_AFTER_LOADS=BEFORE_FORECAST_LOG
    )
    assert children.was_killed(first)
    assert logged(site) == {}

    # The lease of the dead run is still held, and the message says by whom and what to do.
    refused = shelfcast(site, *REPLAY)
    assert refused.exit_code == 1
    assert "is held by run R1 (replay)" in refused.stderr
    assert "--take-over" in refused.stderr

    # Another run gets one step further and dies too: its forecasts are logged, yet not finished.
    second = children.shelfcast(
        site, *REPLAY, "--take-over", "--run-id", "R2", TEST_KILL_AFTER_LOADS=AFTER_FORECAST_LOG
    )
    assert children.was_killed(second)
    assert logged(site) == {"R2": 16}
    assert not site.context().warehouse.exists("forecasts")

    # The same run goes on: its load job is refused the second time, so no row doubles.
    done(site, *REPLAY, "--run-id", "R2")
    assert logged(site) == {"R2": 16}
    assert golden.table(site, golden.PLANNERS_READ) == golden.PLANNERS_ROWS

    # And a whole new run on top of it all gives the same public rows.
    before = golden.public_tables(site)
    with data_tests():
        done(site, *REPLAY, "--run-id", "R4")
    assert logged(site) == {"R2": 16, "R4": 16}
    assert golden.public_tables(site) == before


def logged(site: Site) -> dict[str, int]:
    """Rows of forecast_log by run: 4 series x 2 Wednesdays x 2 weeks a run."""
    counts = site.read("select run_id, count(*) as n from {forecast_log} group by run_id")
    return dict(zip(counts["run_id"], counts["n"], strict=True))
