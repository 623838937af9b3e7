"""Options of the Prophet families, and a fitted model as parameters only: no history, no pickle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import isfinite
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from python_jobs.families.prophet.arrays import FloatArray, IntArray

FORMAT = "shelfcast-prophet"
FORMAT_VERSION = 2

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

MOST_DAYS = 200_000
"""Of a model's history: more than five centuries."""

_NOT_OF_THE_FORM = (
    *("solver", "n_paths", "min_observations", "min_varying_periods", "pooled_priors"),
    "cap_ratio",
)
"""Options that leave the meaning of the coefficients as it is."""

PositiveFloat = Annotated[float, Field(gt=0)]
IsoDate = Annotated[date, Field(strict=False)]
Switch = Literal["auto"] | bool
FamilyName = Literal["prophet", "prophet_no_lag"]


class ProphetOptions(BaseModel):
    """The options of one Prophet family, as the settings give them.

    Attributes:
        y_lag1: y of the period before is an additive regressor, carried through the horizon.
        ar1: the residual of the last training row is carried into the forecast, less with every
            period by the first-order autocorrelation of the residuals.
        transform: of y and y_lag1 before the fit; undone on the forecast.
        yearly: "auto" has a yearly season where the training rows span at least 730 days.
        yearly_order: Fourier terms of the yearly season.
        weekly: season within the week, for daily data only; "auto" asks for two weeks of history.
        growth: "flat" has no trend; "logistic" saturates at cap_ratio times the largest y.
        cap_ratio: of logistic growth.
        solver: "batch" finds the posterior mode of many series at once; "stan" asks Prophet's own
            optimiser, a series at a time, which also fits what the batch does not cover (logistic
            growth).
        changepoint_prior_scale: larger lets the trend bend more.
        seasonality_prior_scale: larger lets the seasons move more.
        regressor_prior_scale: larger lets the regressors (and y_lag1) weigh more.
        seasonality_mode: how seasons and regressors join the trend; y_lag1 is always added.
        n_paths: simulated futures behind an interval.
        min_observations: usable training rows below which a series is refused.
        min_varying_periods: training rows in which a regressor must differ from its most common
            value; with fewer it is left out, for its coefficient would be that of one or two
            rows. One with a prior of the portfolio's stays. 1 leaves out constants only.
        pooled_priors: seasons and regressors are fitted with priors that the portfolio's series
            share, where the fit gets some (of the batch solver only); a series without a yearly
            season of its own, or whose regressor never changed, then has the portfolio's.
    """

    model_config = _STRICT

    y_lag1: bool = True
    ar1: bool = False
    transform: Literal["none", "log1p"] = "none"
    yearly: Switch = "auto"
    yearly_order: Annotated[int, Field(ge=1, le=180)] = 10
    weekly: Switch = "auto"
    growth: Literal["linear", "flat", "logistic"] = "linear"
    cap_ratio: Annotated[float, Field(gt=1)] = 1.5
    solver: Literal["batch", "stan"] = "batch"
    changepoint_prior_scale: PositiveFloat = 0.05
    seasonality_prior_scale: PositiveFloat = 10.0
    regressor_prior_scale: PositiveFloat = 10.0
    seasonality_mode: Literal["additive", "multiplicative"] = "additive"
    n_paths: Annotated[int, Field(ge=100, le=100_000)] = 1000
    min_observations: Annotated[int, Field(ge=3)] = 8
    min_varying_periods: Annotated[int, Field(ge=1)] = 3
    pooled_priors: bool = True

    @property
    def is_batched(self) -> bool:
        """Whether the solver for many series at once covers what is asked."""
        return self.solver == "batch" and self.growth != "logistic"

    @property
    def label(self) -> str:
        """A name of what decides the meaning of coefficients: as JSON, what differs from Prophet's
        own form and the lag. Coefficients of one label compare between series."""
        kept = self.model_dump(exclude_defaults=True, exclude=set(_NOT_OF_THE_FORM))
        return orjson.dumps(kept | {"y_lag1": self.y_lag1}, option=orjson.OPT_SORT_KEYS).decode()

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


YEARLY = ("yearly", 365.25)
WEEKLY = ("weekly", 7.0)


_NUMBERS = (
    *("y_scale", "k", "m", "sigma_obs", "delta", "mu", "std", "beta"),
    *("autocorrelation", "last_residual"),
)


@dataclass(frozen=True, slots=True, eq=False)
class ProphetModel:
    """The parameters of one fitted series.

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
        regressors: names, in the order of beta after the seasons; a column that hardly varied in
            training is not among them: its effect cannot be separated from chance or the trend.
        mu: mean taken off each regressor.
        std: each regressor is divided by.
        beta: coefficients: sine and cosine of each order of each season, then the regressors.
        autocorrelation: of the residuals, from one period to the next; 0 where it is not used.
        last_residual: y less the fit at train_end, a share of y_scale; 0 where it is not used.
    """

    family: FamilyName
    options: ProphetOptions
    features: tuple[str, ...]
    train_start: date
    train_end: date
    n_obs: int
    y_scale: float
    k: float
    m: float
    sigma_obs: float
    changepoint_days: IntArray
    delta: FloatArray
    seasonalities: tuple[Season, ...]
    regressors: tuple[str, ...]
    mu: FloatArray
    std: FloatArray
    beta: FloatArray
    autocorrelation: float = 0.0
    last_residual: float = 0.0

    def __post_init__(self) -> None:
        """Refuse parameters that are not finite or do not fit together.

        Raises:
            ValueError: which, in one sentence.
        """
        n_seasonal = sum(2 * season.order for season in self.seasonalities)
        n_beta = n_seasonal + len(self.regressors)
        strangers = set(self.regressors) - set(self.features)
        if len(self.beta) != n_beta:
            raise ValueError(f"beta has {len(self.beta)} values, the terms ask for {n_beta}")
        if not len(self.mu) == len(self.std) == len(self.regressors):
            raise ValueError(f"mu and std do not fit {len(self.regressors)} regressors")
        if len(self.delta) != len(self.changepoint_days) or not len(self.delta):
            raise ValueError(
                f"delta has {len(self.delta)} values for {len(self.changepoint_days)} changepoints"
            )
        if self.train_end <= self.train_start:
            raise ValueError(f"train_end {self.train_end} is not after {self.train_start}")
        if strangers:
            raise ValueError(f"regressor(s) {sorted(strangers)} are not among the features")
        for name in _NUMBERS:
            if not _is_finite(getattr(self, name)):
                raise ValueError(f"{name} is not finite")
        if self.y_scale <= 0 or self.sigma_obs <= 0 or min(self.std, default=1.0) <= 0:
            raise ValueError("y_scale, sigma_obs and std must be above zero")
        if abs(self.autocorrelation) >= 1:
            raise ValueError(f"autocorrelation {self.autocorrelation} is not within -1..1")

    def __eq__(self, other: object) -> bool:
        """Two models are the same where their stored forms are."""
        return isinstance(other, ProphetModel) and dump_model(self) == dump_model(other)

    def __hash__(self) -> int:
        """Hash of the stored form."""
        return hash(dump_model(self))

    @property
    def train_days(self) -> int:
        """Days from train_start to train_end: one unit of Prophet's time."""
        return (self.train_end - self.train_start).days

    @property
    def modes(self) -> tuple[str, ...]:
        """How each regressor joins the trend: as the seasons do, but y_lag1 is always added."""
        mode = self.options.seasonality_mode
        return tuple("additive" if name == "y_lag1" else mode for name in self.regressors)

    @property
    def effects(self) -> dict[str, float]:
        """By regressor but the lag, the change of the forecast per unit: of ln(1 + y) with log1p;
        else a share of the largest |y| or, where terms multiply, of the trend."""
        beta = self.beta[len(self.beta) - len(self.regressors) :] / self.std
        scale = self.y_scale if self.options.transform == "log1p" else 1.0
        return {
            name: float(value * scale)
            for name, value in zip(self.regressors, beta, strict=True)
            if name != "y_lag1"
        }

    @property
    def lag_effect(self) -> float:
        """Change of yhat per unit of y_lag1, both in model space; 0 without a lag."""
        if "y_lag1" not in self.regressors:
            return 0.0
        i = self.regressors.index("y_lag1")
        beta = self.beta[len(self.beta) - len(self.regressors) + i]
        return float(beta / self.std[i] * self.y_scale)


def _is_finite(values: FloatArray | float) -> bool:
    """Whether all are; of 100,000 models, numpy's own way for a float takes seconds."""
    if isinstance(values, np.ndarray):
        return bool(np.isfinite(values).all())
    return isfinite(values)


class _Stored(BaseModel):
    """The stored form: names and types; `ProphetModel` checks how the parts fit."""

    model_config = _STRICT

    family: FamilyName
    options: dict[str, Any]
    features: list[str]
    train_start: IsoDate
    train_end: IsoDate
    n_obs: Annotated[int, Field(ge=2)]
    y_scale: PositiveFloat
    k: float
    m: float
    sigma_obs: PositiveFloat
    changepoint_days: list[Annotated[int, Field(ge=0, le=MOST_DAYS)]]
    delta: list[float]
    seasonalities: list[Season]
    regressors: list[str]
    mu: list[float]
    std: list[PositiveFloat]
    beta: list[float]
    autocorrelation: float
    last_residual: float


def dump_model(model: ProphetModel) -> bytes:
    """Write a model as one line of JSON that names its format and carries its checksum.

    Options that are as Shelfcast sets them are left out.
    """
    body = {
        "family": model.family,
        "options": _changed_options(model.options),
        **{
            name: getattr(model, name)
            for name in _Stored.model_fields
            if name not in ("family", "options", "seasonalities")
        },
        "seasonalities": [dict(season) for season in model.seasonalities],
    }
    packed = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    head = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sha256": hashlib.sha256(packed).hexdigest(),
    }
    return orjson.dumps(head)[:-1] + b"," + packed[1:]


def load_model(data: bytes, family: str) -> ProphetModel:
    """Read what `dump_model` wrote.

    Raises:
        ValueError: not JSON, not this format or version, another family's model, a checksum that
            is not that of the content, or parameters that are not finite or do not fit together;
            the message says which.
    """
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{family}: the model is not JSON: {error}") from None
    _check_head(content, family)
    body = {
        key: content[key] for key in content if key not in ("format", "format_version", "sha256")
    }
    try:
        packed = orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"{family}: the model is nested too deep: {error}") from None
    if content.get("sha256") != hashlib.sha256(packed).hexdigest():
        raise ValueError(f"{family}: the model's checksum is not that of its content")
    try:
        return _model_of(vars(_Stored.model_validate(body)))
    except ValidationError as error:
        raise ValueError(f"{family}: the model's {_explain(error)}") from None
    except ValueError as error:
        raise ValueError(f"{family}: the model's {error}") from None


def _model_of(parts: dict[str, Any]) -> ProphetModel:
    """Put a model together from the fields of its stored form."""
    seasons = orjson.dumps([vars(season) for season in parts["seasonalities"]])
    return ProphetModel(
        **{
            **parts,
            "options": _options_of(orjson.dumps(parts["options"])),
            "seasonalities": _seasons_of(seasons),
            "features": tuple(parts["features"]),
            "regressors": tuple(parts["regressors"]),
            "changepoint_days": np.array(parts["changepoint_days"], dtype=np.int64),
            **{name: np.array(parts[name], dtype=float) for name in ("delta", "mu", "std", "beta")},
        }
    )


@lru_cache(maxsize=256)
def _options_of(packed: bytes) -> ProphetOptions:
    """Share one object between the many models with the same options."""
    return ProphetOptions(**orjson.loads(packed))


@lru_cache(maxsize=256)
def _seasons_of(packed: bytes) -> tuple[Season, ...]:
    return tuple(Season(**season) for season in orjson.loads(packed))


@lru_cache(maxsize=256)
def _changed_options(options: ProphetOptions) -> dict[str, Any]:
    return options.model_dump(exclude_defaults=True)


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
    where = ".".join(str(part) for part in first["loc"]) or "content"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {first['msg']}, got {str(first['input'])[:80]!r}{more}"
