"""Options of the Prophet families, and a fitted model as parameters only: no history, no pickle."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from python_jobs.families.prophet.paths import FloatArray

FORMAT = "shelfcast-prophet"
FORMAT_VERSION = 1

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

PositiveFloat = Annotated[float, Field(gt=0)]
IsoDate = Annotated[date, Field(strict=False)]
Switch = Literal["auto"] | bool
FamilyName = Literal["prophet", "prophet_no_lag"]


class ProphetOptions(BaseModel):
    """The options of one Prophet family, as the settings give them.

    Attributes:
        y_lag1: y of the period before is an additive regressor, carried through the horizon.
        transform: of y and y_lag1 before the fit; undone on the forecast.
        yearly: "auto" has a yearly season where the training rows span at least 730 days.
        yearly_order: Fourier terms of the yearly season.
        weekly: season within the week, for daily data only; "auto" asks for two weeks of history.
        growth: "flat" has no trend.
        changepoint_prior_scale: larger lets the trend bend more.
        seasonality_prior_scale: larger lets the seasons move more.
        regressor_prior_scale: larger lets the regressors (and y_lag1) weigh more.
        seasonality_mode: how seasons and regressors join the trend; y_lag1 is always added.
        n_paths: simulated futures behind an interval.
        min_observations: usable training rows below which a series is refused.
    """

    model_config = _STRICT

    y_lag1: bool = True
    transform: Literal["none", "log1p"] = "none"
    yearly: Switch = "auto"
    yearly_order: Annotated[int, Field(ge=1, le=180)] = 10
    weekly: Switch = "auto"
    growth: Literal["linear", "flat"] = "linear"
    changepoint_prior_scale: PositiveFloat = 0.05
    seasonality_prior_scale: PositiveFloat = 10.0
    regressor_prior_scale: PositiveFloat = 10.0
    seasonality_mode: Literal["additive", "multiplicative"] = "additive"
    n_paths: Annotated[int, Field(ge=100)] = 1000
    min_observations: Annotated[int, Field(ge=3)] = 8

    def to_model_space(self, y: FloatArray) -> FloatArray:
        """Transform y; what has no logarithm becomes nan or -inf, without a warning."""
        if self.transform == "none":
            return y
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log1p(y)

    def to_units(self, values: FloatArray) -> FloatArray:
        """Undo the transform."""
        return np.expm1(values) if self.transform == "log1p" else values


def parse_options(family: str, options: dict[str, Any]) -> ProphetOptions:
    """Check a family's options and fill in the rest.

    Raises:
        ValueError: an option is unknown (named, with the known ones) or has a value that it
            cannot have.
    """
    known = ProphetOptions.model_fields
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"{family}: unknown option(s) {', '.join(unknown)}; known: {', '.join(known)}"
        )
    try:
        return ProphetOptions(**{"y_lag1": family == "prophet", **options})
    except ValidationError as error:
        raise ValueError(f"{family}: option {_explain(error)}") from None


class Season(BaseModel):
    """One Fourier season: its period in days and its number of sine and cosine pairs."""

    model_config = _STRICT

    name: Literal["yearly", "weekly"]
    period: PositiveFloat
    order: Annotated[int, Field(ge=1)]


class Regressor(BaseModel):
    """One column with a coefficient; it enters the model as (value - mu) / std."""

    model_config = _STRICT

    name: str
    mu: float
    std: PositiveFloat
    mode: Literal["additive", "multiplicative"]
    prior_scale: PositiveFloat


class ProphetModel(BaseModel):
    """What is kept of one fitted series.

    Attributes:
        family: the family that fitted it.
        options: as they were at the fit.
        features: columns of the future panel that a prediction reads.
        train_start: first ds used; Prophet's time runs from here (0) to train_end (1).
        train_end: last ds used.
        n_obs: training rows used.
        y_scale: largest absolute y in model space; k, m, delta, additive betas and sigma_obs are
            shares of it.
        k: slope of the trend before any change.
        m: height of the trend at train_start.
        sigma_obs: standard deviation of the noise.
        changepoint_days: where the slope may change, days after train_start.
        delta: change of the slope at each of them.
        seasonalities: in the order of beta.
        regressors: in the order of beta, after the seasons; a column that was constant in
            training has none, for its effect cannot be told from the trend.
        beta: coefficients: sine and cosine of each order of each season, then the regressors
            (one zero where there is neither).
    """

    model_config = _STRICT

    family: FamilyName
    options: ProphetOptions
    features: list[str]
    train_start: IsoDate
    train_end: IsoDate
    n_obs: Annotated[int, Field(ge=2)]
    y_scale: PositiveFloat
    k: float
    m: float
    sigma_obs: PositiveFloat
    changepoint_days: list[Annotated[int, Field(ge=0)]]
    delta: list[float]
    seasonalities: list[Season]
    regressors: list[Regressor]
    beta: list[float]

    @model_validator(mode="after")
    def _parts_agree(self) -> ProphetModel:
        n_seasonal = sum(2 * season.order for season in self.seasonalities)
        n_beta = max(1, n_seasonal + len(self.regressors))
        strangers = {regressor.name for regressor in self.regressors} - set(self.features)
        if len(self.beta) != n_beta:
            raise ValueError(f"beta has {len(self.beta)} values, the terms ask for {n_beta}")
        if len(self.delta) != len(self.changepoint_days) or not self.delta:
            raise ValueError(
                f"delta has {len(self.delta)} values for {len(self.changepoint_days)} changepoints"
            )
        if self.train_end <= self.train_start:
            raise ValueError(f"train_end {self.train_end} is not after {self.train_start}")
        if strangers:
            raise ValueError(f"regressor(s) {sorted(strangers)} are not among the features")
        return self

    @property
    def train_days(self) -> int:
        """Days from train_start to train_end: one unit of Prophet's time."""
        return (self.train_end - self.train_start).days

    @property
    def lag(self) -> Regressor | None:
        """The regressor y_lag1, where the model has one."""
        return next((item for item in self.regressors if item.name == "y_lag1"), None)

    @property
    def lag_effect(self) -> float:
        """Change of yhat per unit of y_lag1, both in model space; 0 without a lag."""
        if self.lag is None:
            return 0.0
        position = len(self.beta) - len(self.regressors) + self.regressors.index(self.lag)
        return self.beta[position] / self.lag.std * self.y_scale


def dump_model(model: ProphetModel) -> bytes:
    """Write a model as one line of JSON that names its format."""
    head = {"format": FORMAT, "format_version": FORMAT_VERSION}
    return orjson.dumps(head | model.model_dump(mode="json"))


def load_model(data: bytes, family: str) -> ProphetModel:
    """Read what `dump_model` wrote.

    Raises:
        ValueError: not JSON, not this format or version, another family's model, or parameters
            that are not finite or do not fit together; the message says which.
    """
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{family}: the model is not JSON: {error}") from None
    _check_head(content, family)
    body = {key: content[key] for key in content if key not in ("format", "format_version")}
    try:
        return ProphetModel.model_validate(body)
    except ValidationError as error:
        raise ValueError(f"{family}: the model's {_explain(error)}") from None


def _check_head(content: object, family: str) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{family}: not a model in the format {FORMAT}")
    if content.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{family}: the model has format version {content.get('format_version')}, this code "
            f"reads {FORMAT_VERSION}; fit it again"
        )
    if content.get("family") != family:
        raise ValueError(f"{family}: the model is of family {content.get('family')}")


def _explain(error: ValidationError) -> str:
    """Put the first thing that is wrong in one sentence and count the others."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "content"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}, got {str(first['input'])[:80]!r}{more}"
