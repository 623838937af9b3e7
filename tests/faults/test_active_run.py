"""A run reads the panels that were built for it, or none; it is done when its rows are there."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from python_jobs.infra.dbt_runner import Dbt
from python_jobs.infra.errors import DbtFailed, RunStopped
from python_jobs.infra.lease import holder
from python_jobs.infra.schedule import WEEKDAYS, origin_at
from python_jobs.runs import active
from python_jobs.runs.account import require_account
from python_jobs.runs.context import RunOptions
from tests.support import children, golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site

TODAY = datetime.now(UTC).date()
ORIGIN = TODAY - timedelta(days=4)
WEEKS = [ORIGIN + timedelta(days=1) - timedelta(weeks=n) for n in range(8, 0, -1)]
EARLIER = f"{ORIGIN - timedelta(days=4)}T12:00"
"""An instant whose origin is the week before's."""


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {
        "week_starts_on": WEEKDAYS[WEEKS[0].weekday()],
        "time_zone": "UTC",
        "refit": "every_run",
    }
    rows = [
        ("N1", "retail", f"S{n}", week, 5.0 * n + i % 3, 2.0, False)
        for n in (1, 2, 3)
        for i, week in enumerate(WEEKS)
    ]
    columns = ["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"]
    site.write("sales", pd.DataFrame(rows, columns=columns))
    days = {"start_date": WEEKS[0], "end_date": WEEKS[0], "covers_from": WEEKS[0]}
    site.write(
        "promotions",
        golden.plan(unit="N1", channel="*", sku_id="S1").assign(
            **days, covers_to=TODAY + timedelta(weeks=9)
        ),
    )
    return site


def published(site: Site, run_id: str) -> list[tuple]:
    return golden.table(
        site,
        "select origin_date, count(distinct series_id) from {run_forecasts} "
        f"where run_id = '{run_id}' group by 1",
    )


def account(site: Site, run_id: str) -> list[tuple]:
    return golden.table(
        site,
        "select origin_date, n_series, n_forecast + n_fallback + n_refused, n_unaccounted, status "
        f"from {{run_accounts}} where run_id = '{run_id}'",
    )


WHOLE = [(f"{ORIGIN}", 3, 3, 0, "done")]


def test_a_run_that_goes_on_after_another_one_forecasts_its_own_origin(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Dbt, "build", _fails)
        assert "dbt died" in error_of(shelfcast(site, "run", "--run-id", "W1"))
    done(site, "check-future", "--as-of", EARLIER)
    done(site, "run", "--run-id", "W1")
    assert published(site, "W1") == [(f"{ORIGIN}", 3)]
    assert account(site, "W1") == WHOLE


def _fails(*_arguments: object) -> None:
    raise DbtFailed("dbt died.")


def test_steps_stop_at_panels_that_another_run_has_built(site: Site) -> None:
    done(site, "run", "--step", "before", "--run-id", "P1")
    done(site, "check-future", "--as-of", EARLIER, "--take-over")
    message = error_of(shelfcast(site, "predict", "--run-id", "P1"))
    assert "(check) was begun after run P1, and the panels are its own" in message
    assert "`shelfcast run --step before --run-id P1` builds them again" in message
    early = error_of(shelfcast(site, "run", "--step", "after", "--run-id", "P1"))
    assert "3 series came in, and no forecast of this run was logged" in early
    done(site, "run", "--step", "before", "--run-id", "P1")
    done(site, "predict", "--run-id", "P1")
    done(site, "run", "--step", "after", "--run-id", "P1")
    assert account(site, "P1") == WHOLE


def test_steps_of_a_run_keep_the_settings_of_its_first(site: Site) -> None:
    done(site, "run", "--step", "before", "--run-id", "Q1", "--take-over")
    settings = site.use_cases["sku_weekly"]
    settings["horizon"] = 1
    try:
        changed = error_of(shelfcast(site, "predict", "--run-id", "Q1"))
    finally:
        settings["horizon"] = 2
    assert "run Q1 was begun at" in changed
    assert "Put those back to go on with it, or begin a new run" in changed
    done(site, "predict", "--run-id", "Q1")
    done(site, "run", "--step", "after", "--run-id", "Q1")
    assert account(site, "Q1") == WHOLE


def test_a_run_that_is_told_to_end_gives_its_lease_back(site: Site) -> None:
    """Cloud Run sends SIGTERM, and SIGKILL ten seconds later."""
    child = children.start(site, "run", "--run-id", "TERM", "--take-over")
    while not golden.table(site, "select 1 from {run_log} where run_id = 'TERM'"):
        time.sleep(0.2)
    child.process.send_signal(signal.SIGTERM)
    ended = child.wait()
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr
    assert "told to end (SIGTERM)" in ended.stderr
    context = site.context()
    assert holder(context.store, f"{context.connection.dataset} sku_weekly") is None
    assert golden.table(
        site, "select event from {run_activations} where run_id = 'TERM' order by logged_at"
    )[-1:] == [("failed",)]
    done(site, "run", "--run-id", "TERM")
    assert account(site, "TERM") == WHOLE


@pytest.mark.parametrize("hours", [26, -26])
def test_a_clock_that_is_wrong_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    wrong = timedelta(hours=hours)
    monkeypatch.setattr(active, "machine_now", lambda: datetime.now(UTC) + wrong)
    message = error_of(shelfcast(site, "check-future", "--run-id", "C1", "--as-of", EARLIER))
    assert "1,560 minutes apart, and at most 2 are allowed" in message
    assert golden.table(site, "select * from {run_origins} where run_id = 'C1'") == []


@pytest.mark.parametrize("run_id", ["week.48", "неделя", "a b", "", "x" * 129, "a\n"])
def test_a_run_id_that_no_job_id_can_hold_is_refused(site: Site, run_id: str) -> None:
    refused = shelfcast(site, "check-future", "--run-id", run_id)
    assert refused.exit_code == 2
    assert "is refused: 1 to 128 of the letters" in error_of(refused)


def test_a_run_without_an_account_is_not_done(site: Site) -> None:
    context = site.context()
    origin = origin_at(context.use_case, datetime.now(UTC))
    run = context.new_run("issued", [origin], RunOptions(run_id="EMPTY"))
    with pytest.raises(RunStopped, match="the panels were another run's"):
        require_account(context.warehouse, run)


def test_a_plain_build_is_for_the_run_that_ended_last(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(site, "run", "--run-id", "LAST")
    with monkeypatch.context() as patch:
        patch.setattr(Dbt, "build", _fails)
        shelfcast(site, "check-future", "--run-id", "BROKEN", "--as-of", EARLIER)
    site.context().dbt.run("run", "--select", "origins")
    assert golden.table(site, "select run_id, origin_date from {origins}") == [
        ("LAST", f"{ORIGIN}")
    ]
