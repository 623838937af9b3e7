"""What series share: priors in units that compare, recipes by segment, the last residual."""

import numpy as np
import pandas as pd
import pytest

from python_jobs.families import make_family
from python_jobs.families.base import FamilySettings, Tuned
from python_jobs.families.prophet.model import parse_options
from python_jobs.families.prophet.paths import correlated, draw_noise
from python_jobs.families.prophet.recipes import default_candidates
from python_jobs.families.prophet.stan import rebuild

N_WEEKS, UPLIFT = 150, 0.7
START = pd.Timestamp("2023-01-02")
FORMS = [
    {"transform": "log1p"},
    {"transform": "none"},
    {"transform": "none", "seasonality_mode": "multiplicative"},
]


def family(name="prophet", *, seed=0, **options):
    settings = FamilySettings("week", 4, 52, ("promo", "price"), options=options, seed=seed)
    return make_family(name, settings)


def series(name, level, *, n=N_WEEKS, seed=0, promo=None, memory=0.0):
    """Sales around a level with a promotion worth a factor of 1 + UPLIFT, a price and a season."""
    rng = np.random.default_rng(seed)
    flag = (rng.random(n) < 0.2).astype(float) if promo is None else np.full(n, promo)
    price = rng.normal(3, 0.3, n)
    noise = rng.normal(0, 0.08, n)
    for week in range(1, n):
        noise[week] += memory * noise[week - 1]
    season = 0.3 * np.sin(2 * np.pi * np.arange(N_WEEKS - n, N_WEEKS) / 52.18)
    y = level * np.exp(season + noise) * (1 + UPLIFT * flag) * (price / 3) ** -1.5
    return pd.DataFrame(
        {
            "series_id": name,
            "ds": pd.date_range(START, periods=N_WEEKS, freq="7D")[N_WEEKS - n :],
            "y": y,
            "y_lag1": np.concatenate([[np.nan], y[:-1]]),
            "promo": flag,
            "price": price,
        }
    )


@pytest.fixture(scope="module")
def portfolio():
    levels = [20.0, 200.0, 5000.0]
    return pd.concat([series(f"s{i}", y, seed=i) for i, y in enumerate(levels)], ignore_index=True)


def priors(made, values, spread=1e-5):
    """The same centre and spread for each named coefficient."""
    rows = [(made.options.label, name, centre, spread, 50) for name, centre in values.items()]
    return pd.DataFrame(rows, columns=["recipe", "coefficient", "centre", "spread", "n_series"])


def own(fitted, coefficient):
    rows = fitted.coefficients[fitted.coefficients["coefficient"] == coefficient]
    return rows.set_index("series_id")[["estimate", "std_error"]]


def future(rows, *, promo=(0.0, 1.0, 0.0, 0.0), version=None):
    last = rows.iloc[-1]
    dates = pd.date_range(last["ds"], periods=5, freq="7D")[1:]
    return pd.DataFrame(
        {
            "model_version": version or last["series_id"],
            "series_id": last["series_id"],
            "origin_date": last["ds"] + pd.Timedelta(days=6),
            "target_date": dates,
            "horizon_step": range(1, 5),
            "y_lag1": last["y"],
            "promo": promo,
            "price": 3.0,
        }
    )


def forecast(made, fitted, rows, **changes):
    models = {name: one.model for name, one in fitted.models.items()}
    return made.predict(models, future(rows, **changes))["yhat"].to_numpy()


@pytest.mark.parametrize("form", FORMS)
def test_coefficients_of_series_of_any_size_compare(portfolio, form):
    made = family(yearly_order=2, y_lag1=False, **form)
    fitted = made.fit(portfolio)
    table = fitted.coefficients
    waves = {f"yearly_{wave}{order}" for wave in ("sin", "cos") for order in (1, 2)}
    assert set(table["coefficient"]) == waves | {"promo", "price"}
    assert set(table["recipe"]) == {made.options.label}
    promo = own(fitted, "promo")
    assert (promo["std_error"] > 0).all()
    expected = np.log(1 + UPLIFT) if form["transform"] == "log1p" else None
    if expected:
        assert (np.abs(promo["estimate"] - expected) < 4 * promo["std_error"]).all()
    # A share of the level, or of the largest y, whatever the level is.
    assert promo["estimate"].max() < 2.5 * promo["estimate"].min()


@pytest.mark.parametrize("form", FORMS)
def test_a_prior_that_is_certain_is_what_every_series_gets(portfolio, form):
    made = family(yearly_order=2, **form)
    said = {"promo": 0.25, "price": -0.1, "yearly_sin1": 0.05, "y_lag1": 0.3}
    fitted = made.fit(portfolio, tuned=Tuned(priors=priors(made, said)))
    for name, centre in said.items():
        np.testing.assert_allclose(own(fitted, name)["estimate"], centre, atol=2e-4)
    for one in fitted.models.values():
        assert one.model.lag_effect == pytest.approx(0.3, abs=2e-4)


def test_a_vague_prior_leaves_the_fit_as_it_was(portfolio):
    made = family(yearly_order=2, transform="log1p")
    alone = made.fit(portfolio)
    names = alone.coefficients["coefficient"].unique()
    vague = priors(made, dict.fromkeys(names, 0.0), spread=1e4)
    pooled = made.fit(portfolio, tuned=Tuned(priors=vague))
    np.testing.assert_allclose(
        pooled.coefficients["estimate"], alone.coefficients["estimate"], rtol=0.05, atol=0.02
    )


def test_a_first_promotion_is_worth_what_it_is_worth_elsewhere():
    rows = series("new", 100.0, promo=0.0)
    made = family(transform="log1p", y_lag1=False, yearly=False)
    alone = forecast(made, made.fit(rows), rows)
    np.testing.assert_allclose(np.diff(alone), (alone[3] - alone[0]) / 3, rtol=0.05)
    told = Tuned(priors=priors(made, {"promo": np.log(1 + UPLIFT)}, spread=0.1))
    fitted = made.fit(rows, tuned=told)
    assert "promo" not in set(fitted.coefficients["coefficient"])
    pooled = forecast(made, fitted, rows)
    uplift = (pooled[1] + 1) / (pooled[0] + 1)
    np.testing.assert_allclose(uplift, (1 + UPLIFT) * (alone[1] + 1) / (alone[0] + 1), rtol=1e-6)
    again = made.loads(made.dumps(fitted.models["new"].model))
    assert again == fitted.models["new"].model


def test_a_regressor_that_never_leaves_one_value_keeps_its_level():
    """On in every week of training: what the prior adds in a week with it is nothing."""
    rows = series("always", 100.0, promo=1.0)
    made = family(transform="log1p", y_lag1=False, yearly=False)
    told = Tuned(priors=priors(made, {"promo": 0.5}, spread=0.1))
    off, on = forecast(made, made.fit(rows, tuned=told), rows)[:2]
    before, known = forecast(made, made.fit(rows), rows)[:2]
    np.testing.assert_allclose(on, known, rtol=1e-6)
    assert (before + 1) / (off + 1) == pytest.approx(np.exp(0.5), rel=1e-6)


def test_a_short_series_has_the_year_of_the_portfolio():
    rows = series("short", 100.0, n=60)
    made = family(transform="log1p", y_lag1=False, yearly_order=1)
    assert made.fit(rows).models["short"].model.seasonalities == ()
    said = {"yearly_sin1": 0.3, "yearly_cos1": 0.0}
    model = made.fit(rows, tuned=Tuned(priors=priors(made, said, spread=0.05))).models["short"]
    (season,) = model.model.seasonalities
    assert (season.name, season.order) == ("yearly", 1)
    amplitude = np.hypot(*model.model.beta[:2]) * model.model.y_scale
    assert amplitude == pytest.approx(0.3, abs=0.15)


def test_priors_of_another_form_are_not_taken(portfolio):
    made, other = family(transform="log1p"), family(transform="log1p", yearly_order=3)
    foreign = Tuned(priors=priors(other, {"promo": 9.0}))
    mine, alone = made.fit(portfolio, tuned=foreign), made.fit(portfolio)
    assert {k: v.model for k, v in mine.models.items()} == {
        k: v.model for k, v in alone.models.items()
    }


@pytest.mark.parametrize(
    "options",
    [{"pooled_priors": False}, {"solver": "stan"}, {"growth": "logistic"}],
)
def test_a_family_that_cannot_pool_says_so(options):
    assert family().is_pooled
    assert not family(**options).is_pooled


def test_each_series_is_fitted_with_the_recipe_of_its_segment(portfolio):
    made = family(transform="none", yearly_order=3)
    tuned = Tuned(
        {"smooth": {"transform": "log1p"}, "series/s2": {"y_lag1": False, "growth": "flat"}},
        {"s0": "smooth", "s2": "series/s2"},
    )
    fitted = made.fit(portfolio, tuned=tuned)
    assert list(fitted.models) == ["s0", "s1", "s2"]
    for name, options in (
        ("s0", {"transform": "log1p"}),
        ("s1", {"transform": "none"}),
        ("s2", {"transform": "none", "y_lag1": False, "growth": "flat"}),
    ):
        alone = family(yearly_order=3, **options)
        rows = portfolio[portfolio["series_id"] == name]
        assert fitted.models[name].model == alone.fit(rows).models[name].model
    assert fitted.coefficients.groupby("series_id")["recipe"].nunique().max() == 1
    assert fitted.coefficients["recipe"].nunique() == 3
    both = pd.concat([future(portfolio[portfolio["series_id"] == f"s{i}"]) for i in range(3)])
    models = {name: one.model for name, one in fitted.models.items()}
    answers = made.predict(models, both.reset_index(drop=True))
    assert answers["yhat"].notna().all()
    assert set(answers["transform"]) == {"log1p", "none"}


def test_the_label_is_of_what_gives_coefficients_their_meaning():
    label = family(transform="log1p").options.label
    assert family(transform="log1p", n_paths=200, min_observations=20).options.label == label
    assert family(transform="log1p", ar1=True).options.label != label
    assert family().options.label != label


@pytest.mark.parametrize("name", ["prophet", "prophet_no_lag"])
def test_candidates_are_forms_that_the_family_can_fit(name):
    made = family(name)
    candidates = made.candidates()
    assert candidates[-1] == {}
    forms = [parse_options(name, {**options}) for options in candidates]
    labels = [one.label for one in forms]
    assert len(set(labels)) == len(labels)
    for option in ("transform", "growth", "yearly_order", "yearly", "ar1", "seasonality_mode"):
        assert len({getattr(form, option) for form in forms}) > 1, option
    assert {form.y_lag1 for form in forms} == ({True, False} if name == "prophet" else {False})


def test_what_the_settings_have_already_is_tried_once():
    options = parse_options("prophet", {"transform": "log1p", "yearly_order": 3})
    forms = [
        parse_options("prophet", options.model_dump() | recipe)
        for recipe in default_candidates("prophet", options)
    ]
    assert len({form.label for form in forms}) == len(forms)


def test_candidates_of_ones_own():
    given = [{"transform": "log1p"}, {}]
    assert family(candidates=given).candidates() == given
    with pytest.raises(ValueError, match="unknown option"):
        family(candidates=[{"smoothing": 1}])
    with pytest.raises(ValueError, match="list of recipes"):
        family(candidates="all")
    with pytest.raises(ValueError, match="that is the family prophet"):
        family("prophet_no_lag", candidates=[{"y_lag1": True}])


@pytest.mark.parametrize("solver", ["batch", "stan"])
@pytest.mark.parametrize("transform", ["none", "log1p"])
def test_the_last_residual_is_carried_on_and_fades(solver, transform):
    rows = series("a", 500.0, memory=0.8, seed=5)
    options = {"transform": transform, "y_lag1": False, "yearly_order": 2, "solver": solver}
    made, without = family(ar1=True, **options), family(**options)
    fitted, plain = made.fit(rows), without.fit(rows)
    model = fitted.models["a"].model
    assert 0.4 < model.autocorrelation < 0.9
    to_model = np.log1p if transform == "log1p" else np.asarray
    carried = to_model(forecast(made, fitted, rows)) - to_model(forecast(without, plain, rows))
    expected = model.last_residual * model.y_scale * model.autocorrelation ** np.arange(1, 5)
    np.testing.assert_allclose(carried, expected, atol=1e-9 * model.y_scale)
    asked = rows[-1:].rename(columns={name: f"x_{name}" for name in model.regressors})
    fitted_last = rebuild(model).predict(asked)["yhat"].iloc[0]
    missed = to_model(rows["y"].to_numpy())[-1] - fitted_last
    assert model.last_residual * model.y_scale == pytest.approx(missed, abs=1e-9 * model.y_scale)


def test_weeks_since_training_let_the_residual_fade():
    rows = series("a", 500.0, memory=0.8, seed=5)
    made, without = (family(y_lag1=False, yearly=False, ar1=ar1) for ar1 in (True, False))
    fitted, plain = made.fit(rows[:-3]), without.fit(rows[:-3])
    model = fitted.models["a"].model
    carried = forecast(made, fitted, rows) - forecast(without, plain, rows)
    expected = model.last_residual * model.y_scale * model.autocorrelation ** np.arange(4, 8)
    np.testing.assert_allclose(carried, expected, atol=1e-9 * model.y_scale)


def test_gaps_draw_the_autocorrelation_towards_zero():
    rows = series("a", 500.0, memory=0.8, seed=5)
    made = family(y_lag1=False, yearly=False, ar1=True)
    whole = made.fit(rows).models["a"].model.autocorrelation
    sparse = made.fit(rows[::2]).models["a"].model.autocorrelation
    assert sparse == 0 < whole


@pytest.mark.parametrize(("r", "n_gap"), [(0.8, 0), (-0.5, 0), (0.8, 3)])
def test_noise_with_a_memory_grows_to_that_without(r, n_gap):
    noise = draw_noise(np.random.default_rng(1), 6, 1000)
    variance = correlated(noise, r, n_gap).var(axis=1)
    np.testing.assert_allclose(variance, 1 - r ** (2 * (n_gap + np.arange(1, 7))), rtol=1e-9)


def test_intervals_of_a_model_with_a_memory_widen():
    rows = series("a", 500.0, memory=0.8, seed=5)
    made = family(transform="log1p", y_lag1=False, yearly=False, ar1=True, growth="flat")
    models = {"a": made.fit(rows).models["a"].model}
    told = made.predict(models, future(rows, promo=(0.0,) * 4))
    assert (np.diff(told["half_width"]) > 0).all()
    assert (told["yhat_lower"] <= told["yhat"]).all()
    assert (told["yhat"] <= told["yhat_upper"]).all()
