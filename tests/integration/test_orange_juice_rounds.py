"""TSPerf's origins as a backtest, its score of our rows, and intervals scored by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from google.cloud import bigquery

from benchmarks import orange_juice, orange_juice_rounds, tsperf
from python_jobs.infra.settings import UseCase, load_settings
from python_jobs.runs.backtest import backtest_origins

BEFORE, AFTER = orange_juice_rounds.BEFORE, orange_juice_rounds.AFTER


@pytest.fixture(scope="module")
def use_case() -> UseCase:
    environment = {"SHELFCAST_SETTINGS": str(orange_juice.SETTINGS)}
    return load_settings(Path(orange_juice.ROOT), environment).use_case("sku_weekly")


@pytest.mark.parametrize("n_origins", [12, 8])
def test_the_backtest_has_the_origins_of_tsperf_s_rounds(use_case: UseCase, n_origins: int) -> None:
    arguments = orange_juice_rounds.backtest_arguments("R", n_origins)
    given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    assert given["--run-id"] == "R"
    origins = backtest_origins(
        use_case,
        int(given["--origins"]),
        every=int(given["--every"]),
        last=date.fromisoformat(given["--to"]),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    expected = [each.origin.date() for each in tsperf.tsperf_rounds()][-n_origins:]
    assert [origin.origin_date for origin in origins] == expected
    assert [origin.as_of_at.date() for origin in origins] == orange_juice_rounds.round_days()[
        -n_origins:
    ]


def sales() -> pd.DataFrame:
    """Two series of all weeks, one ounce a week and 100; the second misses the last week."""
    weeks = pd.date_range(tsperf.FIRST_WEEK_START, periods=tsperf.LAST_WEEK, freq="7D")
    full = pd.DataFrame({"series_id": "a", "ds": weeks, "y": 1.0})
    return pd.concat([full, full.assign(series_id="b", y=100.0).iloc[:-1]], ignore_index=True)


def forecasts(**yhat: float) -> pd.DataFrame:
    """Four weeks from each origin of a round."""
    rows = [
        (name, each.origin, each.origin + pd.Timedelta(days=7 * step - 6), step, value)
        for name, value in yhat.items()
        for each in tsperf.tsperf_rounds()
        for step in range(1, 5)
    ]
    return pd.DataFrame(rows, columns=["series_id", "origin", "target", "horizon_step", "yhat"])


def test_tsperf_s_score_of_a_backtest_by_hand() -> None:
    """a is 3 for 1 in 24 weeks, b 150 for 100 in 23: (24 * 2 + 23 * 0.5) / 47."""
    asked: dict[str, Any] = {}

    def read(statement: str, **parameters: str) -> pd.DataFrame:
        asked.update(parameters)
        return forecasts(a=3.0, b=150.0)

    found = orange_juice_rounds.tsperf_mape(read, sales(), "prophet")
    assert asked == {"run_id": BEFORE, "model_name": "prophet"}
    assert found["tsperf_mape"] == pytest.approx((24 * 2 + 23 * 0.5) / 47)
    assert (found["tsperf_n"], found["tsperf_n_missing"]) == (47, 0)


def test_forecasts_that_nobody_made_are_counted() -> None:
    rows = forecasts(a=3.0)
    rows.loc[rows["target"] == rows["target"].max() - pd.Timedelta(weeks=1), "yhat"] = np.nan
    found = orange_juice_rounds.tsperf_mape(lambda *_, **__: rows, sales(), "prophet")
    assert (found["tsperf_n"], found["tsperf_n_missing"]) == (23, 24)


def literal(columns: str, *rows: tuple[str, ...]) -> str:
    """Rows of SQL expressions as a table in a statement."""
    names = columns.split()
    parts = [
        "select " + ", ".join(f"{value} as {name}" for name, value in zip(names, row, strict=True))
        for row in rows
    ]
    return f"({' union all '.join(parts)})"


def forecast(run: str, target: str, step: int, low: float, high: float, **changes: str) -> tuple:
    row = {
        "run_id": f"'{run}'",
        "model_name": "'prophet'",
        "series_id": "'s'",
        "origin_date": "date '1992-07-08'",
        "target_date": f"date '1992-{target}'",
        "horizon_step": str(step),
        "yhat_lower": str(low),
        "yhat_upper": str(high),
        "is_fallback": "false",
        "interval_calibration": "'conformal:all'" if run == AFTER else "'none'",
    }
    return tuple((row | changes).values())


TABLES = {
    "{run_forecasts}": literal(
        "run_id model_name series_id origin_date target_date horizon_step yhat_lower yhat_upper "
        "is_fallback interval_calibration",
        forecast(BEFORE, "07-09", 1, 10.0, 20.0),
        forecast(BEFORE, "07-16", 2, 10.0, 20.0),
        forecast(AFTER, "07-09", 1, 5.0, 25.0),
        forecast(AFTER, "07-16", 2, 5.0, 25.0),
        # None of these counts: an origin forecast once, a fallback, another model or run, a gap.
        forecast(BEFORE, "07-09", 3, 0.0, 1.0, origin_date="date '1992-06-24'"),
        forecast(BEFORE, "07-09", 1, 0.0, 1.0, series_id="'t'", is_fallback="true"),
        forecast(BEFORE, "07-09", 1, 0.0, 1.0, model_name="'other'"),
        forecast("third", "07-09", 1, 0.0, 1.0),
        forecast(BEFORE, "07-23", 3, 5.0, 6.0),
    ),
    "{run_origins}": literal("run_id origin_date", (f"'{AFTER}'", "date '1992-07-08'")),
    "{sku_weekly_actuals}": literal(
        "series_id ds y is_gap_filled",
        ("'s'", "date '1992-07-09'", "16.0", "false"),
        ("'s'", "date '1992-07-16'", "24.0", "false"),
        ("'t'", "date '1992-07-09'", "9.0", "false"),
        ("'s'", "date '1992-07-23'", "1.0", "true"),
    ),
}


def test_coverage_and_winkler_score_by_hand(bigquery_client: bigquery.Client) -> None:
    """16 lies in 10..20 and in 5..25; 24 lies 4 above 20 and in 5..25.

    Before: widths 10 and 10, and 2 / 0.2 * 4 = 40 for the miss: 60 / 40. After: 20 and 20: 40 / 40.
    """

    def read(statement: str, **parameters: str | float) -> pd.DataFrame:
        for name, rows in TABLES.items():
            statement = statement.replace(name, rows)
        kinds = {str: "STRING", float: "FLOAT64"}
        values = [
            bigquery.ScalarQueryParameter(name, kinds[type(value)], value)
            for name, value in parameters.items()
        ]
        config = bigquery.QueryJobConfig(query_parameters=values)
        rows = bigquery_client.query(statement, job_config=config).result()
        return pd.DataFrame([dict(row) for row in rows])

    origins = orange_juice_rounds.intervals(read, "origin_date", "prophet", 0.8)
    assert list(origins.index) == [date(1992, 7, 8)]
    (by_origin,) = origins.itertuples()
    assert (by_origin.n, by_origin.n_calibrated) == (2, 2)
    assert (by_origin.coverage_before, by_origin.coverage_after) == (0.5, 1.0)
    assert by_origin.winkler_before == pytest.approx(60 / 40)
    assert by_origin.winkler_after == pytest.approx(40 / 40)

    by_step = orange_juice_rounds.intervals(read, "horizon_step", "prophet", 0.8)
    assert list(by_step["coverage_before"]) == [1.0, 0.0]
    assert list(by_step["winkler_before"]) == pytest.approx([10 / 16, 50 / 24])
    assert list(by_step["winkler_after"]) == pytest.approx([20 / 16, 20 / 24])
    table = orange_juice_rounds.intervals_table(origins, by_step, 0.8)
    assert "| 1992-07-08 | 2 | 50.0% | 100.0% | 1.50 | 1.00 |" in table
    assert "| 2 | 1 | 0.0% | 100.0% | 2.08 | 0.83 |" in table
    figures = orange_juice_rounds.interval_figures(origins, by_step)
    assert figures["coverage_80_by_step"] == {"1": 1.0, "2": 1.0}
    assert figures["calibration"]["coverage_before"] == 0.5
    assert figures["calibration"]["by_origin"]["1992-07-08"]["winkler_before"] == 1.5
