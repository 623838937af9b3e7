"""The lag recursion and the simulated paths, against plain loops and closed forms."""

from datetime import date
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from python_jobs.families.prophet.paths import (
    Dynamics,
    draw_noise,
    draw_trend_shift,
    path_quantiles,
    recursive_forecast,
    simulate_paths,
)
from python_jobs.infra.series import series_seed

Z80 = NormalDist().inv_cdf(0.9)
FINITE = st.floats(-1e4, 1e4)


def dynamics(
    lag_effect,
    *,
    y_lag1=None,
    noise_sd=1.0,
    change_rate=0.0,
    change_scale=1.0,
    n_gap=0,
    autocorrelation=0.0,
):
    n_series = len(lag_effect)
    return Dynamics(
        lag_effect=np.array(lag_effect, float),
        y_lag1=np.zeros(n_series) if y_lag1 is None else np.array(y_lag1, float),
        noise_sd=np.full(n_series, noise_sd),
        change_rate=np.full(n_series, change_rate),
        change_scale=np.full(n_series, change_scale),
        n_gap=np.full(n_series, n_gap),
        autocorrelation=np.full(n_series, autocorrelation),
        seed=[series_seed(f"s{i}", date(2026, 11, 15), 0) for i in range(n_series)],
    )


@st.composite
def recursions(draw):
    n_series, horizon = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    base = draw(hnp.arrays(float, (n_series, horizon), elements=FINITE))
    effect = draw(hnp.arrays(float, n_series, elements=st.floats(-1.5, 1.5)))
    y_lag1 = draw(hnp.arrays(float, n_series, elements=FINITE))
    return base, effect, y_lag1, draw(st.sampled_from([None, 0.0, -3.0]))


@given(recursions())
def test_recursion_equals_a_loop_over_series_and_steps(case):
    base, effect, y_lag1, floor = case
    expected = np.empty_like(base)
    for series in range(len(base)):
        previous = y_lag1[series]
        for step in range(base.shape[1]):
            previous = base[series, step] + effect[series] * previous
            if floor is not None and previous < floor:
                previous = floor
            expected[series, step] = previous
    np.testing.assert_allclose(recursive_forecast(*case), expected, rtol=1e-12, atol=1e-9)


def test_floor_acts_inside_the_recursion():
    # Without the floor: 2 - 1*5 = -3, then 2 + 3 = 5. With it: 0, then 2 - 0 = 2.
    yhat = recursive_forecast(np.array([[2.0, 2.0]]), np.array([-1.0]), np.array([5.0]), 0.0)
    assert yhat.tolist() == [[0.0, 2.0]]


def test_a_missing_step_stops_only_a_series_with_a_lag():
    base = np.array([[1.0, np.nan, 3.0], [1.0, np.nan, 3.0]])
    yhat = recursive_forecast(base, np.array([0.0, 0.5]), np.array([np.nan, 2.0]), 0.0)
    np.testing.assert_array_equal(yhat, [[1, np.nan, 3], [2, np.nan, np.nan]])


def test_recursion_names_shapes_that_disagree():
    with pytest.raises(ValueError, match=r"\(2, 3\), \(1,\) and \(2,\)"):
        recursive_forecast(np.zeros((2, 3)), np.zeros(1), np.zeros(2), None)


def test_recursion_counts_series_without_a_finite_lag():
    with pytest.raises(ValueError, match="not finite for 2 series"):
        recursive_forecast(
            np.zeros((3, 2)), np.array([0.5, 0.5, 0.0]), np.array([np.nan, np.inf, np.nan]), None
        )


def test_noise_has_exact_moments_and_nearly_exact_quantiles():
    noise = draw_noise(np.random.default_rng(1), horizon=4, n_paths=1000)
    np.testing.assert_allclose(noise @ noise.T / 1000, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(noise.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.quantile(noise, 0.9, axis=1), Z80, rtol=0.015)


@pytest.mark.parametrize("draw", [draw_noise, lambda *a: draw_trend_shift(*a, change_rate=0.3)])
def test_a_longer_horizon_leaves_earlier_steps_as_they_were(draw):
    short, long = draw(np.random.default_rng(3), 2, 500), draw(np.random.default_rng(3), 6, 500)
    np.testing.assert_allclose(long[:2], short, rtol=0, atol=1e-12)


def test_trend_shift_has_the_variance_of_laplace_changes_at_mid_period():
    # A change at step i moves the trend by half a period at i and by one more at each later step.
    # Its variance is rate * 2, so that of the shift at step h is 2 rate (.5^2 + 1.5^2 + ...).
    shift = draw_trend_shift(np.random.default_rng(5), 4, 400_000, change_rate=0.2)
    reach = np.arange(4) + 0.5
    np.testing.assert_allclose(shift.var(axis=1), 2 * 0.2 * np.cumsum(reach**2), rtol=0.02)
    assert np.mean(shift[0] != 0) == pytest.approx(0.2, rel=0.02)


def test_without_changes_the_trend_does_not_move():
    assert not draw_trend_shift(np.random.default_rng(5), 4, 100, change_rate=0.0).any()


def test_without_a_lag_the_half_width_is_gaussian():
    base = np.full((3, 4), 50.0)
    lower, upper, _ = path_quantiles(
        base, np.ones((3, 4)), dynamics([0, 0, 0], noise_sd=4), None, interval=0.8, n_paths=1000
    )
    np.testing.assert_allclose((upper - lower) / 2, 4 * Z80, rtol=0.02)
    np.testing.assert_allclose((upper + lower) / 2, 50, rtol=0.01)


@pytest.mark.parametrize("phi", [-0.5, 0.3, 0.8])
def test_with_a_lag_the_sd_grows_as_that_of_an_ar1(phi):
    paths = simulate_paths(
        np.full((1, 6), 10.0), np.ones((1, 6)), dynamics([phi], noise_sd=2), None, 1000
    )
    expected = 2 * np.sqrt(np.cumsum(phi ** (2 * np.arange(6))))
    np.testing.assert_allclose(paths[0].std(axis=0), expected, rtol=1e-9)


@given(st.floats(0, 0.95), st.floats(0, 0.3), st.integers(0, 10**6))
def test_spread_does_not_shrink_with_the_horizon(phi, change_rate, seed):
    moves = dynamics([phi], change_rate=change_rate, change_scale=0.3)
    moves = Dynamics(**vars(moves) | {"seed": [seed]})
    paths = simulate_paths(np.full((1, 6), 10.0), np.ones((1, 6)), moves, None, 1000)
    spread = paths[0].std(axis=0)
    assert np.all(np.diff(spread) > -0.02 * spread[:-1])


def test_intervals_widen_over_a_portfolio():
    # One series' 10 % and 90 % quantiles are known to about 2 % from 1000 paths, 200 series' to .1.
    moves = dynamics([0.3] * 200, change_rate=0.2, change_scale=0.1)
    lower, upper, _ = path_quantiles(
        np.zeros((200, 4)), np.ones((200, 4)), moves, None, interval=0.8, n_paths=1000
    )
    width = (upper - lower).mean(axis=0)
    assert np.all(np.diff(width) > 0)
    assert width[1] / width[0] == pytest.approx(np.sqrt(1.09), rel=0.01)


def test_trend_changes_enter_the_lag_and_are_scaled_by_the_gain():
    still = {"noise_sd": 0.0, "change_rate": 0.2}
    base, gain = np.zeros((2, 3)), np.array([[1.0, 1, 1], [2.0, 2, 2]])
    paths = simulate_paths(base, gain, dynamics([0.5, 0.5], **still), None, 200)
    alone = simulate_paths(base, gain, dynamics([0.0, 0.0], **still), None, 200)
    carried = alone[:, :, 1] + 0.5 * alone[:, :, 0]
    np.testing.assert_allclose(paths[:, :, 1], carried, atol=1e-12)
    assert alone[1].std() == pytest.approx(2 * alone[0].std(), rel=0.3)


def test_a_gap_before_the_horizon_adds_the_changes_that_fell_in_it():
    still = {"noise_sd": 0.0, "change_rate": 0.3}
    late = simulate_paths(
        np.zeros((1, 2)), np.ones((1, 2)), dynamics([0], n_gap=3, **still), None, 300
    )
    whole = simulate_paths(np.zeros((1, 5)), np.ones((1, 5)), dynamics([0], **still), None, 300)
    np.testing.assert_allclose(late, whole[:, :, 3:], atol=1e-12)


def test_paths_never_go_below_the_floor():
    paths = simulate_paths(np.zeros((1, 4)), np.ones((1, 4)), dynamics([0.9]), 0.0, 300)
    assert paths.min() == 0.0


def test_a_series_has_the_same_paths_alone_and_in_a_portfolio(monkeypatch):
    base, gain = np.arange(24.0).reshape(6, 4), np.ones((6, 4))
    moves = dynamics([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], change_rate=0.2)
    whole = path_quantiles(base, gain, moves, 0.0, interval=0.8, n_paths=200)
    monkeypatch.setattr("python_jobs.families.prophet.paths._MAX_DRAWS", 2 * 4 * 200)
    batched = path_quantiles(base, gain, moves, 0.0, interval=0.8, n_paths=200)
    alone = path_quantiles(base[4:5], gain[4:5], moves[4:5], 0.0, interval=0.8, n_paths=200)
    np.testing.assert_array_equal(whole, batched)
    np.testing.assert_array_equal(np.stack(whole)[:, 4:5], np.stack(alone))
