"""The metrics in SQL are the numbers that someone else gets: a plain loop, and a peer library.

The SQL is what dbt renders from macros/metrics, run on the emulator and on Google's own executor.
Both agree with the loop within 1e-9; nulls equal only nulls. Where definitions differ, the test
converts in the open:

- sMAPE here is 2|yhat - y| / (|y| + |yhat|), 0..2; in utilsforecast it is half of that, 0..1.
- bias here is sum(yhat - y) / sum(|y|); in utilsforecast it is mean(yhat - y), in units.
- WAPE is what utilsforecast calls nd.
- Our metrics leave out a row without y or without yhat; utilsforecast gets only whole rows.
- MASE here takes the scale of the history as a column; utilsforecast a history, made to that scale.
- pinball here is what utilsforecast calls mqloss; R2 is scikit-learn's r2_score.
- The tracking signal is utilsforecast's cfe over its mae. Stability has no peer but the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from google.cloud import bigquery
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score
from utilsforecast import losses

from python_jobs.runs.tables import ensure_tables
from tests.support import googlesql, rendered
from tests.support.clients import rows
from tests.support.compare import ordered, same
from tests.support.site import Site

LEVEL = 80
"""Nominal coverage of the intervals, in percent."""

NAMES = (
    "wape", "smape", "mae", "rmse", "mase", "bias", "tracking_signal", "coverage", "winkler",
    "pinball", "r2", "stability", "forecast_value_added",
)  # fmt: skip

TEMPLATE = """
with parts as (
    select x.series_id, x.model_name, x.y, {{ error_parts(
        'x.y', 'x.yhat', 'x.low', 'x.high', '0.8', 'x.scale', 'x.previous'
    ) }}
    from unnest(array<struct<
        series_id string, ds int64, model_name string, y float64, yhat float64, low float64,
        high float64, scale float64, previous float64
    >>[THE_ROWS]) as x
),

{# As accuracy_by does: what is not scored is null. #}
scored as (
    select * except (y), if(error is null, null, y) as y
    from parts
),

measured as (
    select series_id, model_name
        {%- for name in metric_names() if name != 'forecast_value_added' %},
        {{ metric_value(name) }} as {{ name }}
        {%- endfor %}
    from scored
    group by series_id, model_name
)

select series_id, model_name, wape, smape, mae, rmse, mase, bias, tracking_signal, coverage,
    winkler, pinball, r2, stability,
    {{ forecast_value_added('wape', "model_name = 'naive'", 'series_id') }} as forecast_value_added
from measured
"""


class Row(NamedTuple):
    """One forecast of one week: units, or None where that is not known.

    low and high are both known or both not, and low is not above high.
    """

    series_id: str
    ds: int
    model_name: str
    y: float | None
    yhat: float | None
    low: float | None = None
    high: float | None = None
    scale: float | None = None
    previous: float | None = None


Metrics = tuple[float | None, ...]
"""In the order of NAMES."""
Key = tuple[str, str]
"""series_id, model_name."""


def by_loop(forecasts: Iterable[Row]) -> dict[Key, Metrics]:
    """The metrics of each series and model, as one would work them out with a pencil."""
    scored: dict[Key, list[Row]] = {}
    for row in forecasts:
        pairs = scored.setdefault((row.series_id, row.model_name), [])
        if row.y is not None and row.yhat is not None:
            pairs.append(row)
    ratios = {key: _ratios(pairs) for key, pairs in scored.items()}
    found = {}
    for (series_id, model_name), own in ratios.items():
        naive = ratios.get((series_id, "naive"), (None,))[0]
        added = None if naive is None or own[0] is None else naive - own[0]
        found[series_id, model_name] = (*own, added)
    return found


def _ratios(rows_: list[Row]) -> Metrics:
    units = absolute = squared = off = symmetric = moved = before = 0.0
    scaled, held, winkler, pinball = [], [], [], []
    for _, _, _, y, yhat, low, high, scale, previous in rows_:
        assert y is not None
        assert yhat is not None
        units += abs(y)
        off += yhat - y
        absolute += abs(yhat - y)
        squared += (yhat - y) ** 2
        if y != 0 or yhat != 0:
            symmetric += 2 * abs(yhat - y) / (abs(y) + abs(yhat))
        if scale:
            scaled.append(abs(yhat - y) / scale)
        if low is not None and high is not None:
            held.append(low <= y <= high)
            winkler.append(high - low + 10 * (max(low - y, 0) + max(y - high, 0)))
            losses_ = (_loss(y, x, q) for x, q in ((low, 0.1), (yhat, 0.5), (high, 0.9)))
            pinball.append(sum(losses_) / 3)
        if previous is not None:
            moved += abs(yhat - previous)
            before += abs(previous)
    n = len(rows_)
    middle = sum(row.y or 0 for row in rows_) / n if n else 0
    spread = sum(((row.y or 0) - middle) ** 2 for row in rows_)
    return (
        absolute / units if units else None,
        symmetric / n if n else None,
        absolute / n if n else None,
        math.sqrt(squared / n) if n else None,
        _mean(scaled),
        off / units if units else None,
        off / (absolute / n) if absolute else None,
        _mean(held),
        _mean(winkler),
        _mean(pinball),
        1 - squared / spread if n > 1 and spread else None,
        moved / before if before else None,
    )


def _loss(y: float, x: float, q: float) -> float:
    return q * (y - x) if y >= x else (1 - q) * (x - y)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


Measure = Callable[[Iterable[Row]], list[list[tuple]]]


@pytest.fixture(scope="module")
def by_sql(make_site: Callable[[], Site], bigquery_client: bigquery.Client) -> Measure:
    """The metrics as both engines make them: emulator, Google."""
    site = rendered.macro_project(make_site(), {"metrics": TEMPLATE}, {})
    ensure_tables(site.context())
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


def weeks(series_id: str, model_name: str, *cells: tuple[float | None, ...]) -> list[Row]:
    return [Row(series_id, ds, model_name, *cell) for ds, cell in enumerate(cells)]


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
    "intervals_that_hold_miss_and_are_not_there": [
        *weeks(
            "a", "prophet", (10.0, 11.0, 8.0, 12.0), (9.0, 11.0, 10.0, 14.0), (20.0, 11.0, 9.0, 9.0)
        ),
        *weeks("b", "prophet", (None, 11.0, 8.0, 12.0), (9.0, 11.0, None, None)),
    ],
    "scales_and_changes": weeks(
        "a",
        "naive",
        (10.0, 12.0, None, None, 4.0, 10.0),
        (10.0, 12.0, None, None, 0.0, 0.0),
        (10.0, 12.0, None, None, None, None),
        (None, 12.0, None, None, 4.0, 1.0),
        (3.0, None, None, None, 4.0, 1.0),
    ),
    "actuals_that_never_vary": weeks("a", "naive", (4.0, 5.0), (4.0, 2.0)),
    "an_interval_without_a_forecast": weeks("a", "prophet", (0.0, None, 0.0, 0.0)),
    "returns_and_forecasts_below_zero": weeks("a", "naive", (-3.0, 2.0), (4.0, -4.0), (0.0, -1.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_sql_gives_what_a_plain_loop_gives(by_sql, name):
    agree(by_sql, CASES[name])


def test_the_loop_itself_is_right():
    """a: errors 2, -5 and 0 of 35 units. The naive one: 1, 10 and 15."""
    found = by_loop(CASES["two_series_and_two_models_side_by_side"])
    metrics = dict(zip(NAMES, found["a", "prophet"], strict=True))
    assert metrics["wape"] == 7 / 35
    assert metrics["smape"] == pytest.approx((4 / 22 + 10 / 35) / 3)
    assert metrics["mae"] == 7 / 3
    assert metrics["rmse"] == math.sqrt(29 / 3)
    assert metrics["bias"] == -3 / 35
    assert metrics["tracking_signal"] == pytest.approx(-3 / (7 / 3))
    assert metrics["r2"] == pytest.approx(1 - 29 / (350 / 3))
    assert metrics["forecast_value_added"] == pytest.approx(26 / 35 - 7 / 35)


def test_the_loop_itself_is_right_about_intervals_scales_and_changes():
    """Widths 4 and 4, the second misses 9 by 1: winkler (4 + 14) / 2. The history's naive error is
    4: errors 1 and 2 are 0.25 and 0.5 of it. The forecast of 8 moved to 11."""
    rows_ = [
        Row("a", 1, "m", 10.0, 11.0, 8.0, 12.0, 4.0, None),
        Row("a", 2, "m", 9.0, 11.0, 10.0, 14.0, 4.0, 8.0),
    ]
    metrics = dict(zip(NAMES, by_loop(rows_)["a", "m"], strict=True))
    assert metrics["coverage"] == 0.5
    assert metrics["winkler"] == 9.0
    assert metrics["mase"] == 0.375
    assert metrics["stability"] == 3 / 8
    assert metrics["pinball"] == pytest.approx(((0.2 + 0.5 + 0.2) / 3 + (0.9 + 1 + 0.5) / 3) / 2)


# Quarters, so that sums are exact and no tolerance hides a wrong row.
quarters = st.integers(-8, 400).map(lambda n: n / 4)
unknown_or = st.one_of(st.none(), st.just(0.0), quarters)
intervals = st.one_of(
    st.just((None, None)),
    st.tuples(quarters, quarters).map(lambda ends: (min(ends), max(ends))),
)
frames = st.lists(
    st.builds(
        lambda series_id, ds, model_name, y, yhat, ends, scale, previous: Row(
            series_id, ds, model_name, y, yhat, *ends, scale, previous
        ),
        st.sampled_from(["a", "b", "c|1"]),
        st.integers(0, 5),
        st.sampled_from(["naive", "prophet"]),
        unknown_or,
        unknown_or,
        intervals,
        st.sampled_from([None, 0.0, 0.25, 8.0]),
        unknown_or,
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:3],
)


@given(frames)
@example(weeks("a", "naive", (0.0, 0.25)))
# A smaller failing frame is not worth minutes of two engines.
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_sql_gives_what_a_plain_loop_gives_for_any_frame(by_sql, forecasts):
    agree(by_sql, forecasts)


@given(frames)
@settings(max_examples=100, deadline=None)
def test_the_loop_gives_what_peers_give(forecasts):
    """With what holds above, so does SQL."""
    scored = pd.DataFrame(forecasts, columns=Row._fields).dropna(subset=["y", "yhat"])
    ours = by_loop(forecasts)
    for key, own in scored.groupby(["series_id", "model_name"]):
        metrics = dict(zip(NAMES, ours[key], strict=True))
        for name, value in theirs(own).items():
            if value is None or math.isnan(value):
                assert metrics[name] is None, name
            else:
                assert metrics[name] == pytest.approx(value, abs=1e-9), name


def theirs(own: pd.DataFrame) -> dict[str, float | None]:
    """What utilsforecast and scikit-learn make of one series and model, in our definitions."""
    frame = own.rename(columns={"series_id": "unique_id", "yhat": "model"})
    plain = {
        name: _one(loss(frame, models=["model"]))
        for name, loss in (
            ("nd", losses.nd),
            ("smape", losses.smape),
            ("mae", losses.mae),
            ("rmse", losses.rmse),
            ("bias", losses.bias),
            ("cfe", losses.cfe),
        )
    }
    units = frame["y"].abs().sum()
    found: dict[str, float | None] = {
        "wape": plain["nd"],
        "smape": 2 * plain["smape"],
        "mae": plain["mae"],
        "rmse": plain["rmse"],
        "bias": plain["bias"] * len(frame) / units if units else None,
        "tracking_signal": plain["cfe"] / plain["mae"] if plain["mae"] else None,
    }
    if len(frame) > 1 and frame["y"].nunique() > 1:
        found["r2"] = float(r2_score(frame["y"], frame["model"]))
    known = frame.dropna(subset=["low", "high"]).rename(
        columns={"low": f"model-lo-{LEVEL}", "high": f"model-hi-{LEVEL}"}
    )
    if len(known):
        found["coverage"] = _one(losses.coverage(known, ["model"], LEVEL))
        found["winkler"] = _one(losses.winkler_score(known, ["model"], LEVEL))
        columns = [f"model-lo-{LEVEL}", "model", f"model-hi-{LEVEL}"]
        quantiles = np.array([0.1, 0.5, 0.9])
        found["pinball"] = _one(losses.mqloss(known, {"model": columns}, quantiles))
    else:
        found |= dict.fromkeys(("coverage", "winkler", "pinball"))
    found["mase"] = _mase(frame[frame["scale"] > 0])
    return found


def _mase(frame: pd.DataFrame) -> float | None:
    """By scale, each with a history of two weeks that makes it; then the mean over all rows."""
    if frame.empty:
        return None
    total = 0.0
    for scale, rows_ in frame.groupby("scale"):
        history = pd.DataFrame({"unique_id": rows_["unique_id"].iloc[0], "y": [0.0, scale]})
        total += len(rows_) * _one(losses.mase(rows_, ["model"], 1, history.assign(ds=[0, 1])))
    return total / len(frame)


def _one(result: pd.DataFrame) -> float:
    return float(result["model"].iloc[0])


def test_smape_lies_between_0_and_2(by_sql):
    """Its ends: the same number, and anything beside zero."""
    for engine in by_sql([*weeks("a", "x", (3.0, 3.0)), *weeks("b", "x", (0.0, 7.0))]):
        assert [row[3] for row in engine] == [0.0, 2.0]
