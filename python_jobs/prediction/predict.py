"""Forecast every series at each origin of a run: one row a series and step, whatever happens.

SQL has decided (the gate) which series go to a model, which fall back and which are refused; a
model that is missing, corrupt or trained past the origin sends its series to the baseline, with the
reason on the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd

from python_jobs.families import make_family
from python_jobs.families.base import GLOBAL_SERIES, Family, Fitted
from python_jobs.fitting.pool import OnProgress, predict_local
from python_jobs.fitting.windows import windows_for, with_windows
from python_jobs.infra.errors import first_few
from python_jobs.infra.logs import Event, log, warn
from python_jobs.infra.run import Run, of_model
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.settings import code_version
from python_jobs.infra.store import ModelStore
from python_jobs.infra.warehouse import Warehouse
from python_jobs.prediction.usable import require_usable_models
from python_jobs.registry.serving import LoadedModels, key, load_models, serving_models

FUTURE = """
select
    future.series_id, future.origin_date, future.as_of_at, future.horizon_step, future.target_date,
    {columns} future.reference_price, future.promo_source, future.weather_source,
    future.share_forecast,
    gate.route, gate.reason, gate.missing_regressors, gate.y_lag1
from {future} as future
inner join {gate} as gate
    on future.series_id = gate.series_id and future.origin_date = gate.origin_date
where {scope}
order by future.series_id, future.origin_date, future.horizon_step
"""

FACTORS = """
with chosen as (
    select
        series.series_id, calibration.origin_date, calibration.horizon_step, calibration.factor,
        calibration.segment
    from {interval_calibration} as calibration
    inner join {series} as series
        on calibration.origin_date = series.origin_date
        and calibration.segment in (series.demand_class, 'all')
    where calibration.use_case = @use_case and calibration.model_name = @model_name and {scope}
    qualify row_number() over (
        partition by series.series_id, calibration.origin_date, calibration.horizon_step
        order by if(calibration.segment = 'all', 1, 0)
    ) = 1
)
select
    series_id, origin_date, horizon_step, segment,
    max(factor) over (
        partition by series_id, origin_date order by horizon_step
    ) as interval_factor
from chosen
"""
"""Use the demand class's calibration factor for this step if there is one, else the portfolio's.
Factors never fall as the step grows."""

FAILED_FITS = """
select series_id, any_value(error having max trained_at) as error
from {model_log}
where use_case = @use_case and model_name = @model_name and status = 'failed'
group by series_id
"""

SERVE_BASELINE = "serve_baseline"
"""Prefix of the gate's reason where a baseline serves by decision."""

FORECAST = ("yhat", "yhat_lower", "yhat_upper", "interval_source", "half_width", "transform")


@dataclass
class PredictReport:
    """Counts of champion series-origins: forecast, fallback, refused."""

    n_series: int = 0
    n_forecast: int = 0
    n_fallback: int = 0
    n_refused: int = 0

    def __add__(self, other: PredictReport) -> PredictReport:
        """Add the counts of other origins."""
        return PredictReport(
            self.n_series + other.n_series,
            self.n_forecast + other.n_forecast,
            self.n_fallback + other.n_fallback,
            self.n_refused + other.n_refused,
        )

    def __str__(self) -> str:
        return (
            f"{self.n_series} series-origins in = {self.n_forecast} forecast "
            f"+ {self.n_fallback} fallen back + {self.n_refused} refused"
        )


def predict(
    warehouse: Warehouse, store: ModelStore, run: Run, n_jobs: int, on_progress: OnProgress
) -> PredictReport:
    """Forecast with every family of the use case and append the rows to forecast_log.

    Args:
        warehouse: holds gate, future panel and registry for the run's origins.
        store: holds the models.
        run: use case, origins, selection and shard.
        n_jobs: processes for a local family.
        on_progress: called with series done and their number, for each family.

    Raises:
        RunStopped: see `require_usable_models`.
    """
    future = read_future(warehouse, run)
    report = PredictReport()
    for name in run.use_case.families:
        family = make_family(name, run.use_case.family_settings(name))
        with of_model(name):
            assigned = assign_models(
                warehouse, store, run, family, with_factors(warehouse, run, name, future)
            )
            rows = forecast(family, assigned, n_jobs, on_progress)
            is_for_planners = run.kind == "issued" or run.is_as_issued
            if name == run.use_case.champion and is_for_planners:
                require_usable_models(run, rows)
            warehouse.append(
                "forecast_log",
                log_rows(run, name, rows),
                run.job_id("forecast_log", name, run.shard.index),
            )
        if name == run.use_case.champion:
            report = count_outcomes(rows)
        log_outcomes(run, name, rows)
    return report


def read_future(
    warehouse: Warehouse,
    run: Run,
    series: Sequence[str] | None = None,
    *,
    ignore_decisions: bool = False,
) -> pd.DataFrame:
    """Read the future panel and the gate's verdicts for the series in scope (or only these).

    Args:
        warehouse: holds both.
        run: use case, selection and shard.
        series: only these.
        ignore_decisions: send to a model what goes to a baseline only because that serves; whoever
            compares recipes could never end it otherwise.

    Returns:
        One row per series_id, origin_date and horizon_step, sorted by them; with y_context where a
        family reads windows.
    """
    use_case = run.use_case
    condition, parameters = series_in_scope(run, "future.series_id", series)
    statement = (
        FUTURE.replace("{columns}", "".join(f"future.{name}, " for name in use_case.panel_columns))
        .replace("{future}", f"{{{use_case.name}_future_panel}}")
        .replace("{gate}", f"{{{use_case.name}_gate}}")
        .replace("{scope}", condition)
    )
    rows = warehouse.read(statement, **parameters)
    if ignore_decisions:
        is_known = rows[list(use_case.regressors)].notna().all(axis=1)
        is_decided = rows["reason"].astype(str).str.startswith(SERVE_BASELINE) & is_known
        rows.loc[is_decided, "route"] = "model"
        rows.loc[is_decided, "reason"] = None
    return with_windows(warehouse, run, rows, rows["origin_date"], series)


def with_factors(
    warehouse: Warehouse, run: Run, model_name: str, future: pd.DataFrame
) -> pd.DataFrame:
    """Add each row's interval factor, the multiplier of its half width.

    Returns:
        The rows of `future`, with interval_factor and segment (whose factor it is); both null where
        too little was forecast so far.
    """
    use_case = run.use_case
    condition, parameters = series_in_scope(run, "series.series_id")
    statement = FACTORS.replace("{series}", f"{{{use_case.name}_series}}")
    factors = warehouse.read(
        statement.replace("{scope}", condition),
        use_case=use_case.name,
        model_name=model_name,
        **parameters,
    )
    keys = ["series_id", "origin_date", "horizon_step"]
    return future.merge(factors, how="left", on=keys, validate="many_to_one")


@dataclass(frozen=True)
class Assigned:
    """The future panel with the model of each row, and the models.

    Attributes:
        rows: the future panel, with model_version (null where none serves), model_key (null where
            none can be used) and reason (null where one can).
        models: by model_key.
    """

    rows: pd.DataFrame
    models: dict[str, Any]


def assign_models(
    warehouse: Warehouse, store: ModelStore, run: Run, family: Family[Any], future: pd.DataFrame
) -> Assigned:
    """Resolve and load the model of each row; give a reason where there is none."""
    serving = serving_models(warehouse, run, family.name)
    rows = with_versions(family, future, serving)
    wanted = (rows["route"] == "model") & ~(rows["train_end"] > rows["origin_date"])
    needed = serving[serving["model_version"].isin(rows.loc[wanted, "model_version"])]
    loaded = load_models(store, family, needed)
    _log_faults(run, family, loaded.faults)
    has_none = (wanted & rows["model_version"].isna()).any()
    failed = _failed_fits(warehouse, run, family) if has_none else {}
    return assign(family, rows, loaded, failed)


def assign(
    family: Family[Any], rows: pd.DataFrame, loaded: LoadedModels, failed: dict[str, str]
) -> Assigned:
    """Give each model row its serving model, or the reason for having none.

    Args:
        family: whose models they are.
        rows: the future panel `with_versions`.
        loaded: the models.
        failed: by series_id (GLOBAL_SERIES of a global family), why no model could be fitted.
    """
    rows = rows.copy()
    wanted = rows["route"] == "model"
    past = wanted & (rows["train_end"] > rows["origin_date"])
    none = wanted & rows["model_version"].isna()
    rows.loc[past, "reason"] = "model_trained_past_origin"
    rows.loc[none, "reason"] = _why_no_model(family, rows[none], failed)
    usable = wanted & ~past & ~none
    rows["model_key"] = [
        key(version, GLOBAL_SERIES if family.scope == "global" else series_id)
        if is_usable
        else None
        for version, series_id, is_usable in zip(
            rows["model_version"], rows["series_id"], usable, strict=True
        )
    ]
    faulty = rows["model_key"].isin(loaded.faults)
    rows.loc[faulty, "reason"] = [
        f"model_unreadable: {loaded.faults[one]}" for one in rows.loc[faulty, "model_key"]
    ]
    rows.loc[faulty, "model_key"] = None
    return Assigned(rows, loaded.models)


def assign_fitted(
    family: Family[Any], fitted: Fitted[Any], version: str, future: pd.DataFrame
) -> Assigned:
    """Give each model row a model of this fit, or the reason for having none.

    Args:
        family: whose models they are.
        fitted: the models, and why some could not be fitted.
        version: of the models.
        future: the future panel.
    """
    is_global = family.scope == "global"
    names = [GLOBAL_SERIES] * len(future) if is_global else future["series_id"]
    found = [fitted.models.get(name) for name in names]
    rows = future.assign(
        model_version=pd.Series([one and version for one in found], future.index, dtype=object),
        train_end=pd.to_datetime(pd.Series([one and one.train_end for one in found], future.index)),
    )
    models = {key(version, name): one.model for name, one in fitted.models.items()}
    return assign(family, rows, LoadedModels(models), fitted.failures)


def with_versions(family: Family[Any], future: pd.DataFrame, serving: pd.DataFrame) -> pd.DataFrame:
    """Add the serving version of each row and its train_end; null where none serves."""
    on = ["origin_date"] if family.scope == "global" else ["series_id", "origin_date"]
    versions = serving[[*on, "model_version", "train_end"]]
    return future.merge(versions, how="left", on=on, validate="many_to_one")


def _failed_fits(warehouse: Warehouse, run: Run, family: Family[Any]) -> dict[str, str]:
    failed = warehouse.read(FAILED_FITS, use_case=run.use_case.name, model_name=family.name)
    return dict(zip(failed["series_id"].fillna(GLOBAL_SERIES), failed["error"], strict=True))


def _why_no_model(family: Family[Any], rows: pd.DataFrame, failed: dict[str, str]) -> list[str]:
    names = rows["series_id"] if family.scope == "local" else [GLOBAL_SERIES] * len(rows)
    return [f"fit_failed: {failed[name]}" if name in failed else "no_model" for name in names]


def forecast(
    family: Family[Any], assigned: Assigned, n_jobs: int, on_progress: OnProgress
) -> pd.DataFrame:
    """Ask the family for the rows that have a model; keep every row.

    Returns:
        The rows of `assigned`, with yhat, yhat_lower, yhat_upper, interval_source, half_width,
        transform (null where there is no forecast), reason and outcome (forecast | fallback |
        refused).
    """
    rows = assigned.rows
    asked = rows[rows["model_key"].notna()].drop(columns=["model_version", "reason"])
    asked = windows_for(family, asked.rename(columns={"model_key": "model_version"}))
    if family.scope == "local":
        answers = predict_local(family, assigned.models, asked, n_jobs, on_progress)
    else:
        answers = family.predict(assigned.models, asked)
    rows = rows.join(answers.reindex(columns=list(FORECAST)))
    failed = answers["reason"].notna()
    rows.loc[answers.index[failed], "reason"] = "predict_failed: " + answers.loc[failed, "reason"]
    rows["outcome"] = np.select(
        [rows["yhat"].notna(), rows["route"] == "refused"], ["forecast", "refused"], "fallback"
    )
    return rows


def log_rows(run: Run, model_name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Shape forecast rows `with_factors` as forecast_log holds them."""
    known = ["promo_source", "weather_source", "share_forecast", "reference_price", "y_lag1"]
    known += run.use_case.panel_columns
    records = rows[known].to_dict("records")
    reason = rows["reason"].where(
        rows["missing_regressors"].isna(),
        rows["reason"] + ": " + rows["missing_regressors"].fillna(""),
    )
    kept = rows[["series_id", "origin_date", "as_of_at", "target_date", "horizon_step", *FORECAST]]
    return kept.assign(
        run_id=run.run_id,
        shard=run.shard.index,
        run_kind=run.kind,
        use_case=run.use_case.name,
        model_name=model_name,
        model_version=rows["model_version"].where(rows["yhat"].notna(), None),
        interval_calibration=_calibrations(rows),
        interval_factor=rows["interval_factor"].astype(float),
        regressors_as_known=[_json(record) for record in records],
        outcome=rows["outcome"],
        reason=reason.where(rows["yhat"].isna(), None),
        code_version=code_version(),
        issued_at=datetime.now(UTC),
    )


def _calibrations(rows: pd.DataFrame) -> pd.Series:
    """interval_calibration of each row; `none` where the family reports no half width."""
    used = rows["interval_factor"].notna() & rows["half_width"].notna()
    return ("conformal:" + rows["segment"].astype("string")).where(used, "none")


def _json(record: dict[str, Any]) -> str:
    """NaN becomes null."""
    return orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def count_outcomes(rows: pd.DataFrame) -> PredictReport:
    """Count series-origins; one with a single step that fell back counts as fallen back."""
    order = {"forecast": 0, "fallback": 1, "refused": 2}
    worst = rows.assign(rank=rows["outcome"].map(order)).groupby(["series_id", "origin_date"])[
        "rank"
    ]
    counts = worst.max().value_counts()
    return PredictReport(int(counts.sum()), *(int(counts.get(rank, 0)) for rank in range(3)))


def log_outcomes(run: Run, family: str, rows: pd.DataFrame) -> None:
    """Log one line a reason: how many series, and the first few."""
    for outcome, event in (
        ("fallback", Event.SERIES_FELL_BACK),
        ("refused", Event.SERIES_REFUSED),
    ):
        those = rows[rows["outcome"] == outcome]
        for reason, group in those.groupby(those["reason"].str.split(":").str[0]):
            names = sorted(group["series_id"].unique())
            log(
                event,
                f"{family}: {len(names)} series {outcome.replace('fallback', 'fell back')}, "
                f"{reason} ({first_few(names)})",
                run_id=run.run_id,
                model_name=family,
                reason=reason,
                n_series=len(names),
            )


def _log_faults(run: Run, family: Family[Any], faults: dict[str, str]) -> None:
    if not faults:
        return
    reasons = sorted(set(faults.values()))
    warn(
        Event.MODELS_FAULTY,
        f"predict: {len(faults)} {family.name} models cannot be used: {first_few(reasons, 2)}. "
        "Their series fall back. See `shelfcast models verify`; `shelfcast train` replaces them.",
        run_id=run.run_id,
        model_name=family.name,
        n_models=len(faults),
    )
