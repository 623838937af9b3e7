"""The batched solver beside Stan, and the portfolio's scorer beside a loop of Prophet.predict."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.portfolio_speed import synthetic_panel
from python_jobs.families import make_family
from python_jobs.families.base import FamilySettings
from python_jobs.families.prophet import fit as fitting
from python_jobs.families.prophet.design import scale
from python_jobs.families.prophet.model import Season
from python_jobs.families.prophet.panel import Recipe, read_panel
from python_jobs.families.prophet.paths import recursive_forecast
from python_jobs.families.prophet.score import Portfolio, evaluate
from python_jobs.families.prophet.solve import objective, optimality_gap, solve
from python_jobs.families.prophet.stan import load_prophet

REGRESSORS = ("promo_share", "log_price_ratio")
N_SERIES = 6


@pytest.fixture(scope="module")
def panel():
    return synthetic_panel(N_SERIES, seed=3)[0]


def family(solver="batch", **options):
    chosen = {"solver": solver, "yearly": True, "n_paths": 100} | options
    return make_family("prophet", FamilySettings("week", 4, 52, REGRESSORS, options=chosen))


def problem_of(made, panel):
    """The problem that the family hands to the solver, and its series."""
    recipe = Recipe(made.name, made.settings, made.options, made.features(made.options))
    arrays, failures = read_panel(panel, recipe)
    assert not failures
    histories = fitting._padded(arrays, np.arange(len(arrays.series_id)))
    has_season = fitting._has_season(histories, recipe, recipe.seasons, {})
    features = recipe.multiplicative_features
    is_pooled = np.zeros(len(features), dtype=bool)
    scaled = scale(histories, recipe.options, recipe.seasons, has_season, features, is_pooled)
    return scaled, histories.series_id


def theta_of(mode):
    return np.column_stack([mode.k, mode.m, mode.beta, mode.delta])


@pytest.mark.parametrize("transform", ["none", "log1p"])
@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
def test_the_batched_solver_finds_a_mode_at_least_as_good_as_stans(panel, mode, transform):
    options = {"seasonality_mode": mode, "transform": transform}
    scaled, names = problem_of(family(**options), panel)
    ours = solve(scaled.problem)
    assert ours.is_converged.all()
    by_stan = family("stan", **options).fit(panel).models
    theta = theta_of(ours)
    stans = np.array(
        [np.concatenate([[m.k, m.m], m.beta, m.delta]) for m in (by_stan[n].model for n in names)]
    )
    assert stans.shape == theta.shape
    sigma = np.array([by_stan[name].model.sigma_obs for name in names])
    assert (ours.objective <= objective(scaled.problem, stans, sigma) + 1e-6).all()
    np.testing.assert_allclose(
        objective(scaled.problem, theta, ours.sigma), ours.objective, rtol=1e-12
    )
    # Against a penalty of 20 on each change of slope.
    assert optimality_gap(scaled.problem, theta, ours.sigma).max() < 2e-3


def test_a_series_that_leaps_between_two_sets_of_changepoints_settles():
    """The rule that speeds sigma up overshot from one to the other and back, without end."""
    rng = np.random.default_rng(0)
    price, noise = rng.normal(3, 0.3, 150), rng.normal(0, 0.08, 150)
    season = 0.3 * np.sin(2 * np.pi * np.arange(150) / 52.18)
    y = 100 * np.exp(season + noise) * (price / 3) ** -1.5
    rows = pd.DataFrame(
        {
            "series_id": "a",
            "ds": pd.date_range("2023-01-02", periods=150, freq="7D"),
            "y": y,
            "y_lag1": np.concatenate([[np.nan], y[:-1]]),
            "promo_share": 0.0,
            "log_price_ratio": price,
        }
    )
    made = family(transform="log1p", y_lag1=False, yearly=False)
    scaled, _ = problem_of(made, rows)
    ours = solve(scaled.problem)
    assert ours.is_converged.all()
    assert optimality_gap(scaled.problem, theta_of(ours), ours.sigma).max() < 2e-3


@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
def test_stan_started_at_our_mode_moves_nowhere(panel, mode):
    scaled, names = problem_of(family(seasonality_mode=mode), panel)
    ours = solve(scaled.problem)
    problem, n_terms = scaled.problem, scaled.problem.centre.shape[1]
    prophet = load_prophet()(uncertainty_samples=0)
    for place in range(2):
        used = problem.is_row[place]
        data = {
            "T": int(used.sum()),
            "K": n_terms,
            "S": problem.hinge.shape[2],
            "tau": problem.tau,
            "trend_indicator": 0,
            "y": problem.y[place][used],
            "t": problem.t[place][used],
            "cap": np.zeros(int(used.sum())),
            "t_change": scaled.changepoint_day[place] / scaled.span[place],
            "X": problem.x[place][used],
            "sigmas": problem.spread[place],
            "s_a": (~problem.is_multiplicative).astype(float),
            "s_m": problem.is_multiplicative.astype(float),
        }
        start = {
            "k": ours.k[place],
            "m": ours.m[place],
            "delta": ours.delta[place],
            "beta": ours.beta[place],
            "sigma_obs": ours.sigma[place],
        }
        data = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in data.items()}
        start = {k: np.asarray(v).tolist() for k, v in start.items()}
        found = prophet.stan_backend.model.optimize(
            data=data, inits=start, algorithm="LBFGS", require_converged=False
        )
        values = found.stan_variables()
        theta = np.concatenate(
            [[values["k"], values["m"]], np.ravel(values["beta"]), np.ravel(values["delta"])]
        )
        again = objective(problem[np.array([place])], theta[None], np.array([values["sigma_obs"]]))
        assert again[0] >= ours.objective[place] - 1e-6
    assert len(names) == N_SERIES


def test_a_series_is_fitted_alone_as_in_company(panel):
    made = family()
    together = made.fit(panel).models
    for name, rows in panel.groupby("series_id"):
        alone = made.fit(rows).models[name].model
        np.testing.assert_allclose(alone.beta, together[name].model.beta, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(alone.delta, together[name].model.delta, rtol=1e-6, atol=1e-9)


def test_the_batch_and_stan_forecast_nearly_the_same():
    panel, future = synthetic_panel(N_SERIES, seed=5)
    answers = {}
    for solver in ("batch", "stan"):
        made = family(solver, yearly_order=3)
        models = {name: fit.model for name, fit in made.fit(panel).models.items()}
        answers[solver] = made.predict(models, future)["yhat"]
    gap = (answers["batch"] - answers["stan"]).abs().sum() / answers["stan"].sum()
    assert gap < 0.05


def test_series_of_every_length_share_a_batch():
    panel, _ = synthetic_panel(5, seed=1)
    ids = panel["series_id"].unique()
    place = panel.groupby("series_id").cumcount(ascending=False)
    keep = {ids[0]: 9, ids[1]: 12, ids[2]: 30, ids[3]: 104}
    short = panel[place < panel["series_id"].map(keep).fillna(999)].reset_index(drop=True)
    fitted = family(yearly="auto").fit(short)
    assert not fitted.failures
    assert [len(fitted.models[i].model.delta) for i in ids] == [6, 8, 23, 25, 25]
    assert [len(fitted.models[i].model.seasonalities) for i in ids] == [0, 0, 0, 0, 1]
    answer = {name: fit.metrics["objective"] for name, fit in fitted.models.items()}
    assert np.isfinite(list(answer.values())).all()


def test_more_terms_than_rows_still_have_a_forecast():
    panel, future = synthetic_panel(1, seed=1)
    made = family(yearly_order=10)
    fitted = made.fit(panel.tail(12).reset_index(drop=True))
    models = {name: fit.model for name, fit in fitted.models.items()}
    assert made.predict(models, future)["yhat"].notna().all()


def test_what_the_batch_gives_up_on_goes_to_stan(panel, monkeypatch):
    monkeypatch.setattr("python_jobs.families.prophet.solve._MAX_ROUNDS", 1)
    fitted = family().fit(panel[panel["series_id"] == panel["series_id"].iloc[0]])
    (model,) = fitted.models.values()
    assert "objective" not in model.metrics
    assert np.count_nonzero(model.model.delta) == 25


def test_logistic_growth_is_fitted_by_stan_and_scored_as_prophet_does(panel):
    made = family(growth="logistic", cap_ratio=1.3, y_lag1=False)
    rows = panel[panel["series_id"] == panel["series_id"].iloc[0]]
    (fitted,) = made.fit(rows).models.values()
    prophet = load_prophet()(
        growth="logistic", yearly_seasonality=10, weekly_seasonality=False, uncertainty_samples=0
    )
    for name in REGRESSORS:
        prophet.add_regressor(name)
    cap = 1.3 * rows["y"].max()
    prophet.fit(rows.assign(cap=cap), algorithm="LBFGS")
    ahead = rows.tail(4).assign(ds=rows["ds"].max() + pd.to_timedelta([7, 14, 21, 28], "D"))
    expected = prophet.predict(ahead.assign(cap=cap))["yhat"].to_numpy()
    future = ahead.rename(columns={"ds": "target_date"}).assign(
        model_version="v",
        origin_date=rows["ds"].max() + pd.Timedelta(days=6),
        horizon_step=[1, 2, 3, 4],
    )
    answer = made.predict({"v": fitted.model}, future)["yhat"].to_numpy()
    np.testing.assert_allclose(answer, np.maximum(expected, 0), rtol=1e-8)


MODES = ("additive", "multiplicative")


def stock(growth, season_mode, promo_mode, lag_mode, rows):
    """A stock Prophet with a mode of its own for each term."""
    prophet = load_prophet()(
        growth=growth,
        yearly_seasonality=False,
        weekly_seasonality=False,
        daily_seasonality=False,
        uncertainty_samples=0,
    )
    prophet.add_seasonality("yearly", 365.25, 3, mode=season_mode)
    for name, mode in (("promo_share", promo_mode), ("y_lag1", lag_mode)):
        prophet.add_regressor(name, mode=mode)
    return prophet.fit(rows.dropna().assign(cap=2 * rows["y"].max()), algorithm="LBFGS")


def portfolio_of(prophets, caps):
    """Prophet's own fitted objects as the scorer's arrays."""
    first = prophets[0]
    names = list(first.extra_regressors)
    items = [[prophet.extra_regressors[name] for name in names] for prophet in prophets]
    day = np.timedelta64(1, "D")
    return Portfolio(
        growth=first.growth,
        seasons=(Season(name="yearly", period=365.25, order=3),),
        regressors=tuple(names),
        is_multiplicative=first.train_component_cols["multiplicative_terms"].to_numpy() == 1,
        start=np.array([(p.start - pd.Timestamp(0)).days for p in prophets]),
        span=np.array([p.t_scale / day for p in prophets]).astype(np.int64),
        y_scale=np.array([p.y_scale for p in prophets]),
        cap=np.array([cap / p.y_scale for p, cap in zip(prophets, caps, strict=True)]),
        k=np.array([p.params["k"].item() for p in prophets]),
        m=np.array([p.params["m"].item() for p in prophets]),
        changepoint=np.stack([p.changepoints_t for p in prophets]),
        delta=np.stack([p.params["delta"][0] for p in prophets]),
        beta=np.stack([p.params["beta"][0] for p in prophets]),
        mu=np.array([[item["mu"] for item in row] for row in items]),
        std=np.array([[item["std"] for item in row] for row in items]),
    )


@pytest.mark.parametrize("floor", [None, 0.0])
@pytest.mark.parametrize(
    ("growth", "season_mode", "promo_mode", "lag_mode"),
    [
        *(
            (growth, mode, mode, mode)
            for growth in ("linear", "flat", "logistic")
            for mode in MODES
        ),
        ("linear", "additive", "multiplicative", "additive"),
        ("linear", "multiplicative", "additive", "multiplicative"),
        ("flat", "additive", "additive", "multiplicative"),
        ("logistic", "multiplicative", "multiplicative", "additive"),
    ],
)
def test_the_scorer_equals_a_loop_of_prophet_predict(
    growth, season_mode, promo_mode, lag_mode, floor
):
    panel, future = synthetic_panel(2, seed=11)
    if floor is not None:  # a series that falls away, so that the floor acts
        panel["y"] -= panel.groupby("series_id").cumcount() * panel["y"].mean() / 90
        panel["y_lag1"] = panel.groupby("series_id")["y"].shift(1)
    histories = [rows for _, rows in panel.groupby("series_id")]
    prophets = [stock(growth, season_mode, promo_mode, lag_mode, rows) for rows in histories]
    caps = [2 * rows["y"].max() for rows in histories]
    expected = []
    for prophet, cap, rows, ahead in zip(
        prophets, caps, histories, [r for _, r in future.groupby("series_id")], strict=True
    ):
        previous = rows["y"].iloc[-1]
        for _, row in ahead.iterrows():
            asked = pd.DataFrame([{**row, "ds": row["target_date"], "cap": cap}])
            previous = prophet.predict(asked.assign(y_lag1=previous))["yhat"].item()
            previous = previous if floor is None else max(floor, previous)
            expected.append(previous)
    day = (future["target_date"] - pd.Timestamp(0)).dt.days.to_numpy()
    x = future[["promo_share", "y_lag1"]].to_numpy(float)
    terms = evaluate(portfolio_of(prophets, caps), np.repeat([0, 1], 4), day, x)
    base, gain = terms.base.reshape(2, 4), terms.lag_gain.reshape(2, 4)
    last = np.array([rows["y"].iloc[-1] for rows in histories])
    yhat = recursive_forecast(base, gain, last, floor)
    np.testing.assert_allclose(yhat.ravel(), expected, rtol=1e-8, atol=1e-9)


def test_past_dates_are_scored_too(panel):
    """Between its changes the trend bends where Prophet's does."""
    made = family("stan", y_lag1=False)
    rows = panel[panel["series_id"] == panel["series_id"].iloc[0]]
    (fitted,) = made.fit(rows).models.values()
    from python_jobs.families.prophet.score import stack
    from python_jobs.families.prophet.stan import rebuild

    ((_, portfolio),) = stack([fitted.model])
    day = (rows["ds"] - pd.Timestamp(0)).dt.days.to_numpy()
    x = rows[list(portfolio.regressors)].to_numpy(float)
    terms = evaluate(portfolio, np.zeros(len(rows), dtype=np.int64), day, x)
    renamed = rows.rename(columns={name: f"x_{name}" for name in REGRESSORS})
    expected = rebuild(fitted.model).predict(renamed)["yhat"]
    np.testing.assert_allclose(terms.base, expected, rtol=1e-8)


def test_calibration_scales_the_half_width():
    panel, future = synthetic_panel(3, seed=2)
    made = family(transform="log1p")
    models = {name: fit.model for name, fit in made.fit(panel).models.items()}
    plain = made.predict(models, future)
    factor = np.where(future["horizon_step"] == 4, np.nan, 2.0)
    wide = made.predict(models, future.assign(interval_factor=factor))
    pd.testing.assert_series_equal(wide["half_width"], plain["half_width"])
    pd.testing.assert_series_equal(wide["yhat"], plain["yhat"])
    is_set = ~np.isnan(factor)
    centre, reach = np.log1p(plain["yhat"]), 2 * plain["half_width"]
    expected = np.expm1(np.maximum(centre - reach, 0))
    np.testing.assert_allclose(wide["yhat_lower"][is_set], expected[is_set])
    np.testing.assert_allclose(wide["yhat_upper"][is_set], np.expm1(centre + reach)[is_set])
    pd.testing.assert_frame_equal(wide[~is_set], plain[~is_set])
    assert set(plain["transform"]) == {"log1p"}
    assert (plain["half_width"] > 0).all()
