"""A use case's own features: their names, what is refused, and which rows a family is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import yaml

from python_jobs.families import make_family
from python_jobs.fitting.fit import fit, fit_origins, read_panel, rows_for
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import UseCase, load_settings
from tests.support import families  # noqa: F401 - registers the families by its import
from tests.support.site import ROOT, day, instant, project_vars

ORIGIN = Origin(day("2026-02-15"), instant("2026-02-18 19:00"))
FEATURES = {
    "lags": [1, 2, 52],
    "rolling": [{"statistic": "mean", "window": 4, "lag": 1}],
    "date_parts": ["month"],
    "attributes": ["store_size"],
    "columns": ["stock"],
}
DIMENSION = {"columns": {"unit": "unit", "store_size": "square_feet"}}
NAMES = ("y_lag2", "y_lag52", "y_roll_mean_4_lag1", "month", "store_size", "stock")

Make = Callable[..., UseCase]


@pytest.fixture
def make(tmp_path) -> Make:
    def make(features: object = FEATURES, **changes: Any) -> UseCase:
        use_case = project_vars()["use_cases"]["sku_weekly"] | {"features": features}
        use_case["sources"] = {**use_case["sources"], "attributes": DIMENSION}
        use_case |= changes
        path = tmp_path / "settings.yml"
        path.write_text(yaml.safe_dump({"use_cases": {"sku_weekly": use_case}}, sort_keys=False))
        return load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)}).use_case(None)

    return make


def test_features_are_named_after_what_they_are_made_of(make: Make) -> None:
    use_case = make()
    assert use_case.features.names == NAMES
    assert use_case.features.made == NAMES[:-1]
    assert use_case.panel_columns == (*use_case.regressors, *NAMES)
    assert use_case.family_settings("ridge").features == NAMES


def test_lag_1_makes_no_column_because_every_panel_has_it(make: Make) -> None:
    assert make({"lags": [1]}).features.names == ()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"lag": [2]}, "use_cases.sku_weekly.features: unknown key 'lag' (did you mean 'lags'?)"),
        ([2], "use_cases.sku_weekly.features: Input should be a valid dictionary"),
        ({"lags": [0]}, "features.lags.0: Input should be greater than or equal to 1 (found 0)"),
        ({"lags": [2, 2]}, "features: y_lag2 is there twice"),
        ({"lags": [1, 1]}, "features.lags: 1 is there twice"),
        (
            {"rolling": [{"statistic": "median", "window": 4, "lag": 1}]},
            "features.rolling.0.statistic: Input should be 'mean', 'std', 'min' or 'max' "
            "(found 'median')",
        ),
        ({"rolling": [{"statistic": "mean", "window": 0, "lag": 1}]}, "features.rolling.0.window"),
        ({"rolling": [{"statistic": "mean", "window": 4, "lag": 0}]}, "features.rolling.0.lag"),
        ({"rolling": [{"statistic": "mean", "window": 4}]}, "features.rolling.0.lag: Field requi"),
        (
            {"rolling": [{"statistic": "std", "window": 1, "lag": 1}]},
            "features.rolling: the std of 1 period is never known",
        ),
        ({"date_parts": ["weekday"]}, "features.date_parts.0: Input should be 'day_of_week'"),
        ({"columns": ["y_lag1"]}, "features: 'y_lag1' is a column of the panels already"),
        ({"columns": ["promo_share"]}, "features: 'promo_share' is a column of the panels alread"),
        ({"columns": ["unit"]}, "features: 'unit' is a column of the panels already"),
        ({"columns": ["ds"]}, "features: 'ds' is a column of the panels already"),
        ({"lags": [2], "columns": ["y_lag2"]}, "features: y_lag2 is there twice"),
        ({"columns": ["my stock"]}, "features: 'my stock' is no column name"),
        (
            {"attributes": ["store_type"]},
            "sources.attributes.columns: 'store_type' is missing, and the feature of that name",
        ),
    ],
)
def test_a_feature_that_cannot_be_is_named(make: Make, features: object, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        make(features)
    assert message in str(error.value)


def test_a_regressor_that_is_given_needs_its_source_and_column(make: Make) -> None:
    regressors = {"fuel_price": {"future": "given", "when_missing": "carry_last"}}
    sources = project_vars()["use_cases"]["sku_weekly"]["sources"]
    with pytest.raises(SettingsError, match=r"future is 'given' but sources has no 'regressors'"):
        make({}, regressors=regressors)
    for columns, message in (
        ({"date": "day"}, "regressors.columns: 'fuel_price' is missing"),
        ({"fuel_price": "price"}, "sources.regressors.columns: 'date' is missing"),
    ):
        given = {**sources, "regressors": {"columns": columns}}
        with pytest.raises(SettingsError, match=message):
            make({}, regressors=regressors, sources=given)


def test_attributes_need_a_dimension_of_the_key(make: Make) -> None:
    sources = project_vars()["use_cases"]["sku_weekly"]["sources"]
    with pytest.raises(SettingsError, match=r"sources has no 'attributes' to take them from"):
        make(sources=sources)
    nameless = {**sources, "attributes": {"columns": {"store_size": "square_feet"}}}
    with pytest.raises(SettingsError, match=r"names none of the key's columns \(unit, channel"):
        make(sources=nameless)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training_grain": "step"}, "training_grain: Input should be 'period' or 'horizon_step'"),
        ({"context_length": -1}, "context_length: Input should be greater than or equal to 0"),
    ],
)
def test_other_settings_of_the_panels_are_checked(make: Make, change: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(**change)


class Panel:
    """A warehouse whose training panel has two series and two steps; it keeps the statements."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def read(self, statement: str, **parameters: Any) -> pd.DataFrame:
        self.statements.append(statement)
        return panel()


class Nothing:
    """A warehouse without a row."""

    def read(self, statement: str, **parameters: Any) -> pd.DataFrame:
        return pd.DataFrame()


def panel() -> pd.DataFrame:
    rows = [
        (series, day("2026-02-02"), step, 5.0 + step, 4.0, 0.0, 1.0, None)
        for series in ("a", "b")
        for step in (1, 2)
    ]
    columns = ["series_id", "ds", "horizon_step", "y", "y_lag1", "promo_share", "month"]
    frame = pd.DataFrame(rows, columns=[*columns, "left_out_reason"])
    return frame.astype({"ds": "datetime64[s]"})


def run(use_case: UseCase) -> Run:
    return Run("R", "train", use_case, [ORIGIN])


def test_the_panel_is_read_with_its_features_and_steps(make: Make) -> None:
    warehouse = Panel()
    read_panel(warehouse, run(make(training_grain="horizon_step")), ORIGIN)  # type: ignore[arg-type]
    read_panel(warehouse, run(make()), ORIGIN)  # type: ignore[arg-type]
    by_step, by_period = (" ".join(one.split()) for one in warehouse.statements)
    listed = ", ".join(f"panel.{name}" for name in NAMES)
    assert f"panel.holiday_share, {listed}, panel.left_out_reason" in by_period
    assert "horizon_step" not in by_period
    assert "panel.y_lag1, panel.horizon_step, panel.promo_share" in by_step
    assert "order by panel.series_id, panel.ds, panel.horizon_step" in by_step


def test_only_a_direct_family_is_given_the_rows_of_later_steps(make: Make) -> None:
    settings = make({"date_parts": ["month"]}).family_settings("direct")
    direct, ridge = make_family("direct", settings), make_family("ridge", settings)
    assert rows_for(direct, panel()).equals(panel())
    of_step_1 = rows_for(ridge, panel())
    assert list(of_step_1["y"]) == [6.0, 6.0]
    assert "horizon_step" not in of_step_1
    assert fit(ridge, panel(), 1, lambda done, n: None).models[""].n_obs == 2
    assert set(fit(direct, panel(), 1, lambda done, n: None).models[""].model) == {"1", "2"}


def test_a_family_that_reads_no_features_is_named(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    use_case = make({"date_parts": ["month"]})
    chosen = [make_family(name, use_case.family_settings(name)) for name in ("prophet", "ridge")]
    reads = fit_origins(Nothing(), run(use_case), 1, lambda done, n: None, "none", chosen)  # type: ignore[arg-type]
    assert [one.family.name for one in reads] == ["prophet", "ridge"]
    assert "prophet reads no features, so it does without month." in caplog.text
    assert "ridge reads no features" not in caplog.text
