"""Backtests of the golden fortnight, beside what was issued then (tests/support/golden.py).

Models that are refitted on demand are fitted at the first origin, as the issued ones were: A 11 and
B 5, so that the backtest is what was issued. Refitted weekly, A has 76/7 at the second origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Selection
from python_jobs.prediction.predict import PredictReport
from python_jobs.runs import backtest as backtests
from python_jobs.runs.context import RunOptions
from python_jobs.runs.recorded import recorded_run
from python_jobs.selection.backtesting import backtest as backtest_job
from tests.support import golden
from tests.support.site import Site, day

TO = day("2026-03-01")
"""The last day of W8, the first target of the second origin."""


@dataclass
class Backtested:
    """A site with a backtest beside the issued fortnight, and what was issued before it."""

    site: Site
    issued: dict[str, list[tuple]]
    report: PredictReport


@pytest.fixture(scope="module")
def played(make_site: Callable[[], Site], issued_fortnight: Site) -> Backtested:
    site = golden.copy(issued_fortnight, make_site())
    issued = golden.public_tables(site)
    report = backtests.backtest(site.context(), 2, RunOptions(run_id="BACK"), last=TO)
    return Backtested(site, issued, report)


def accuracy(site: Site, run_kind: str) -> list[tuple]:
    return golden.table(
        site,
        f"""
        select * except (run_kind) from {{accuracy_by_target_date}} where run_kind = '{run_kind}'
        order by target_date, basis, model_name
        """,
    )


def backtest_rows(site: Site) -> list[tuple]:
    return golden.table(
        site,
        """
        select series_id, origin_date, horizon_step, yhat, is_fallback, run_id
        from {backtest_forecasts} where horizon_step = 1 order by 1, 2
        """,
    )


def test_every_series_is_accounted_for(played: Backtested) -> None:
    assert str(played.report) == ("8 series-origins in = 4 forecast + 2 fallen back + 2 refused")


def test_a_backtest_forecasts_what_was_issued(played: Backtested) -> None:
    assert backtest_rows(played.site) == [
        (golden.A, golden.ORIGIN_1, 1, 11.0, False, "BACK"),
        (golden.A, golden.ORIGIN_2, 1, 16.5, False, "BACK"),
        (golden.B, golden.ORIGIN_1, 1, 5.0, False, "BACK"),
        (golden.B, golden.ORIGIN_2, 1, 5.0, False, "BACK"),
        (golden.C, golden.ORIGIN_1, 1, 3.0, True, "BACK"),
        (golden.C, golden.ORIGIN_2, 1, 3.0, True, "BACK"),
    ]


def test_its_accuracy_stands_beside_that_of_what_was_issued(played: Backtested) -> None:
    assert accuracy(played.site, "backtest") == accuracy(played.site, "issued") != []


def test_what_was_issued_is_left_alone(played: Backtested) -> None:
    assert golden.public_tables(played.site) == played.issued


def test_its_models_are_logged_and_never_serve(played: Backtested) -> None:
    """Fitted once, at the first origin; A on six weeks, B on five, C and D not at all."""
    site = played.site
    logged = golden.table(
        site,
        """
        select series_id, status, origin_date, train_end, n_obs, object from {model_log}
        where run_id = 'BACK' order by 1
        """,
    )
    w6 = str(golden.WEEK["W6"])
    assert logged == [
        (golden.A, "backtest", golden.ORIGIN_1, w6, 6, None),
        (golden.B, "backtest", golden.ORIGIN_1, w6, 5, None),
    ]
    for relation in ("model_events", "models", "serving_models"):
        versions = site.read(f"select model_version from {{{relation}}}")["model_version"]
        assert not versions.str.contains("BACK").any()
    assert not list(site.context().store.list("runs/BACK/"))


def test_a_task_that_is_tried_again_adds_no_row(played: Backtested) -> None:
    context = played.site.context()
    run = backtests.open_backtest(context, 1, RunOptions(run_id="BACK"))
    assert [str(origin.origin_date) for origin in run.origins] == [golden.ORIGIN_1, golden.ORIGIN_2]
    count = "select count(*) from {forecast_log} where run_id = 'BACK'"
    before = golden.table(played.site, count)
    told: list[tuple[int, int]] = []
    again = backtest_job(context.warehouse, run, 1, lambda *done: told.append(done))
    assert str(again) == str(played.report)
    assert golden.table(played.site, count) == before == [(16,)]
    assert told[-1] == (8, 8)


def test_the_id_of_another_kind_of_run_is_refused(played: Backtested) -> None:
    context = played.site.context()
    (other,) = golden.table(
        played.site, "select any_value(run_id) from {run_origins} where run_kind = 'train'"
    )
    with pytest.raises(RunStopped, match=r"is of kind train: give a backtest a --run-id of its"):
        backtests.open_backtest(context, 1, RunOptions(run_id=other[0]))


def refitted(site: Site, **options: Any) -> PredictReport:
    site.use_cases["sku_weekly"]["refit"] = "every_run"
    return backtests.backtest(site.context(), 2, RunOptions(**options), last=TO)


def test_the_newest_backtest_of_each_series_counts(played: Backtested) -> None:
    """Refitted weekly, for A alone: 76/7 and half as much again in the promotion of W8."""
    refitted(played.site, run_id="AGAIN", selection=Selection("*|A"))
    rows = backtest_rows(played.site)
    assert rows[:2] == [
        (golden.A, golden.ORIGIN_1, 1, 11.0, False, "AGAIN"),
        (golden.A, golden.ORIGIN_2, 1, round(1.5 * 76 / 7, 9), False, "AGAIN"),
    ]
    assert {row[-1] for row in rows[2:]} == {"BACK"}
    assert golden.public_tables(played.site) == played.issued


def test_a_backtest_without_a_series_for_a_model_says_why(played: Backtested) -> None:
    with pytest.raises(RunStopped) as stopped:
        refitted(played.site, selection=Selection("*|C,*|D"))
    assert "none of 4 series-origins from 2026-02-15 to 2026-02-22 may go to a model" in str(
        stopped.value
    )
    assert "2 too_short" in str(stopped.value) and "2 inactive" in str(stopped.value)


def test_a_backtest_of_no_origin_is_refused(played: Backtested) -> None:
    with pytest.raises(RunStopped, match=r"--origins 0 --every 1 names no origin"):
        backtests.backtest(played.site.context(), 0)
    assert recorded_run(played.site.context(), RunOptions(run_id="nobody")) is None
