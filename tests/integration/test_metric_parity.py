"""The metrics in SQL are the numbers that someone else gets: a plain loop, and a peer library.

The SQL is what dbt renders from macros/metrics, run on the emulator and on Google's own executor.
Both agree with the loop within 1e-9; nulls equal only nulls. Where definitions differ, the test
converts in the open:

- sMAPE here is 2|yhat - y| / (|y| + |yhat|), 0..2; in utilsforecast it is half of that, 0..1.
- bias here is sum(yhat - y) / sum(|y|); in utilsforecast it is mean(yhat - y), in units.
- WAPE is what utilsforecast calls nd.
- Our metrics leave out a row without y or without yhat; utilsforecast gets only whole rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pandas as pd
import pytest
from google.cloud import bigquery
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from utilsforecast import losses

from python_jobs import pipeline
from tests.support import googlesql, rendered
from tests.support.clients import rows
from tests.support.compare import ordered, same
from tests.support.site import Site

NAMES = ("wape", "smape", "mae", "rmse", "bias", "forecast_value_added")

TEMPLATE = """
with parts as (
    select x.series_id, x.model_name, {{ error_parts('x.y', 'x.yhat', 'null', 'null') }}
    from unnest(array<struct<
        series_id string, ds int64, model_name string, y float64, yhat float64
    >>[THE_ROWS]) as x
),

measured as (
    select series_id, model_name, {{ wape() }} as wape, {{ smape() }} as smape, {{ mae() }} as mae,
        {{ rmse() }} as rmse, {{ bias() }} as bias
    from parts
    group by series_id, model_name
)

select series_id, model_name, wape, smape, mae, rmse, bias,
    {{ forecast_value_added('wape', "model_name = 'naive'", 'series_id') }} as forecast_value_added
from measured
"""


class Row(NamedTuple):
    """One forecast of one week: units, or None where that is not known."""

    series_id: str
    ds: int
    model_name: str
    y: float | None
    yhat: float | None


Metrics = tuple[float | None, ...]
"""In the order of NAMES."""
Key = tuple[str, str]
"""series_id, model_name."""


def by_loop(forecasts: Iterable[Row]) -> dict[Key, Metrics]:
    """The metrics of each series and model, as one would work them out with a pencil."""
    scored: dict[Key, list[tuple[float, float]]] = {}
    for row in forecasts:
        pairs = scored.setdefault((row.series_id, row.model_name), [])
        if row.y is not None and row.yhat is not None:
            pairs.append((row.y, row.yhat))
    ratios = {key: _ratios(pairs) for key, pairs in scored.items()}
    found = {}
    for (series_id, model_name), own in ratios.items():
        naive = ratios.get((series_id, "naive"), (None,))[0]
        added = None if naive is None or own[0] is None else naive - own[0]
        found[series_id, model_name] = (*own, added)
    return found


def _ratios(pairs: list[tuple[float, float]]) -> Metrics:
    if not pairs:
        return (None,) * 5
    units = absolute = squared = off = symmetric = 0.0
    for y, yhat in pairs:
        units += abs(y)
        off += yhat - y
        absolute += abs(yhat - y)
        squared += (yhat - y) ** 2
        if y != 0 or yhat != 0:
            symmetric += 2 * abs(yhat - y) / (abs(y) + abs(yhat))
    n = len(pairs)
    return (
        absolute / units if units else None,
        symmetric / n,
        absolute / n,
        math.sqrt(squared / n),
        off / units if units else None,
    )


Measure = Callable[[Iterable[Row]], list[list[tuple]]]


@pytest.fixture(scope="module")
def by_sql(make_site: Callable[[], Site], bigquery_client: bigquery.Client) -> Measure:
    """The metrics as both engines make them: emulator, Google."""
    site = rendered.macro_project(make_site(), {"metrics": TEMPLATE}, {})
    pipeline.ensure_tables(site.place())
    query = rendered.render(site, {})["metrics"]

    def measure(forecasts: Iterable[Row]) -> list[list[tuple]]:
        sql = query.replace("THE_ROWS", ", ".join(_literal(row) for row in forecasts))
        return [ordered(rows(bigquery_client, sql)), ordered(googlesql.execute(sql)[1])]

    return measure


def _literal(row: Row) -> str:
    numbers = ("null" if value is None else repr(value) for value in row[3:])
    return f"('{row.series_id}', {row.ds}, '{row.model_name}', {', '.join(numbers)})"


def agree(by_sql: Measure, forecasts: list[Row]) -> None:
    expected = ordered([(*key, *metrics) for key, metrics in by_loop(forecasts).items()])
    for engine, found in zip(("the emulator", "Google"), by_sql(forecasts), strict=True):
        assert same(found, expected), f"{engine}: {found}\nthe loop: {expected}"


def weeks(series_id: str, model_name: str, *pairs: tuple[float | None, float | None]) -> list[Row]:
    return [Row(series_id, ds, model_name, y, yhat) for ds, (y, yhat) in enumerate(pairs)]


CASES: dict[str, list[Row]] = {
    "two_series_and_two_models_side_by_side": [
        *weeks("a", "prophet", (10.0, 12.0), (20.0, 15.0), (5.0, 5.0)),
        *weeks("a", "naive", (10.0, 9.0), (20.0, 10.0), (5.0, 20.0)),
        *weeks("b", "prophet", (1.0, 4.0), (2.0, 0.5)),
        *weeks("b", "naive", (1.0, 1.0), (2.0, 1.0)),
    ],
    "a_null_on_either_side": weeks("a", "naive", (10.0, None), (None, 12.0), (4.0, 5.0)),
    "nothing_scored": weeks("a", "prophet", (10.0, None), (None, 12.0), (None, None)),
    "all_actuals_are_zero": weeks("a", "naive", (0.0, 1.0), (0.0, 0.0)),
    "all_is_zero": weeks("a", "naive", (0.0, 0.0), (0.0, 0.0)),
    "one_row": weeks("a", "prophet", (8.0, 6.0)),
    "a_missing_week": [
        Row("a", 1, "prophet", 8.0, 6.0),
        Row("a", 3, "prophet", 4.0, 6.0),
        Row("a", 1, "naive", 8.0, 8.0),
        Row("b", 2, "naive", 3.0, 2.0),
    ],
    "returns_and_forecasts_below_zero": weeks("a", "naive", (-3.0, 2.0), (4.0, -4.0), (0.0, -1.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_sql_gives_what_a_plain_loop_gives(by_sql, name):
    agree(by_sql, CASES[name])


def test_the_loop_itself_is_right():
    """a: errors 2, -5 and 0 of 35 units. The naive one: 1, 10 and 15."""
    found = by_loop(CASES["two_series_and_two_models_side_by_side"])
    wape, smape, mae, rmse, bias, added = found["a", "prophet"]
    assert wape == 7 / 35
    assert smape == pytest.approx((4 / 22 + 10 / 35) / 3)
    assert mae == 7 / 3
    assert rmse == math.sqrt(29 / 3)
    assert bias == -3 / 35
    assert added == pytest.approx(26 / 35 - 7 / 35)


# Quarters, so that sums are exact and no tolerance hides a wrong row.
quarters = st.integers(-8, 400).map(lambda n: n / 4)
unknown_or = st.one_of(st.none(), st.just(0.0), quarters)
frames = st.lists(
    st.builds(
        Row,
        series_id=st.sampled_from(["a", "b", "c|1"]),
        ds=st.integers(0, 5),
        model_name=st.sampled_from(["naive", "prophet"]),
        y=unknown_or,
        yhat=unknown_or,
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:3],
)


@given(frames)
@example(weeks("a", "naive", (0.0, 0.25)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sql_gives_what_a_plain_loop_gives_for_any_frame(by_sql, forecasts):
    agree(by_sql, forecasts)


@given(frames)
@settings(max_examples=100, deadline=None)
def test_the_loop_gives_what_utilsforecast_gives(forecasts):
    """With what holds above, so does SQL."""
    scored = pd.DataFrame(forecasts, columns=Row._fields).dropna()
    ours = by_loop(forecasts)
    for model_name, whole in scored.groupby("model_name"):
        frame = whole.rename(columns={"series_id": "unique_id", "yhat": "model"})
        theirs = {
            name: loss(frame, models=["model"]).set_index("unique_id")["model"]
            for name, loss in (
                ("wape", losses.nd),
                ("smape", losses.smape),
                ("mae", losses.mae),
                ("rmse", losses.rmse),
                ("mean_error", losses.bias),
            )
        }
        for series_id, own in frame.groupby("unique_id"):
            peer = {name: values[series_id] for name, values in theirs.items()}
            wape, smape, mae, rmse, bias, _ = ours[series_id, model_name]
            units = own["y"].abs().sum()
            assert smape == pytest.approx(2 * peer["smape"], abs=1e-9)
            assert mae == pytest.approx(peer["mae"], abs=1e-9)
            assert rmse == pytest.approx(peer["rmse"], abs=1e-9)
            if units == 0:
                assert wape is None
                assert bias is None
                assert math.isnan(peer["wape"])
            else:
                assert wape == pytest.approx(peer["wape"], abs=1e-9)
                assert bias == pytest.approx(peer["mean_error"] * len(own) / units, abs=1e-9)


def test_smape_lies_between_0_and_2(by_sql):
    """Its ends: the same number, and anything beside zero."""
    for engine in by_sql([*weeks("a", "x", (3.0, 3.0)), *weeks("b", "x", (0.0, 7.0))]):
        assert [row[3] for row in engine] == [0.0, 2.0]
