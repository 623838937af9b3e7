"""Fit every forecastable series as of each origin of a run and put the models in service."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pandas as pd

from python_jobs.families import make_family
from python_jobs.families.base import GLOBAL_SERIES, Family, Fitted
from python_jobs.fitting.fit import OriginFit, PriorSource, families_of, fit_origins
from python_jobs.fitting.pool import OnProgress
from python_jobs.fitting.ranges import regressor_ranges
from python_jobs.fitting.signs import Contradicted, contradictions, json_or_null
from python_jobs.infra.errors import first_few
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.object_names import encode_part, model_path
from python_jobs.infra.run import Run, Shard, of_model
from python_jobs.infra.schedule import Origin
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.series import split_key
from python_jobs.infra.settings import code_version
from python_jobs.infra.store import AlreadyThere, ModelStore, ObjectMissing, sha256_of
from python_jobs.infra.warehouse import Warehouse
from python_jobs.registry.packing import pack, unpack_whole

N_SERIES = """
select count(*) as n
from {series}
where origin_date = @origin_date and is_forecastable and {scope}
"""


@dataclass
class TrainReport:
    """Counts of a training job, over all families and origins."""

    n_series: int = 0
    n_trained: int = 0
    n_failed: int = 0


def train(
    warehouse: Warehouse,
    store: ModelStore,
    run: Run,
    n_jobs: int,
    on_progress: OnProgress,
    priors: PriorSource = "none",
) -> TrainReport:
    """Fit the use case's families as of each origin of the run.

    Of several tasks each fits its shard; a global family is fitted by the first, on all series.
    A series that cannot be fitted gets a row in model_log that says why. Models are served from
    the instant as of which they were trained.

    Args:
        warehouse: holds the training panel of the run's origins.
        store: where the models go.
        run: use case, origins, selection and shard.
        n_jobs: processes for a local family.
        on_progress: called with series done and their number, for each family and origin.
        priors: where the priors of pooled families come from.
    """
    report, newest, contradicted = TrainReport(), dict[str, bytes](), Contradicted()
    for part, families in parts_of_task(run):
        for one in fit_origins(warehouse, part, n_jobs, on_progress, priors, families):
            with of_model(one.family.name):
                log_rows, stored = _write(warehouse, store, part, one)
            contradicted.add(log_rows)
            if one.family.name == run.use_case.champion:
                newest |= stored
            report.n_series += one.panel["series_id"].nunique()
            report.n_trained += len(one.fitted.models)
            report.n_failed += len(one.fitted.failures)
            log_failures(run, one.family.name, one.fitted)
    contradicted.log(run)
    _show(warehouse, store, run, newest)
    return report


def parts_of_task(run: Run) -> list[tuple[Run, list[Family[Any]]]]:
    """The fits of a task: local families on its shard of the series, and in the first task each
    global family on all series.

    Returns:
        The run, with the shard that the fit reads, and the families fitted on it.
    """
    families = families_of(run.use_case)
    if run.shard.count == 1:
        return [(run, families)]
    parts = [(run, [family for family in families if family.scope != "global"])]
    if run.shard.index == 0:
        whole = replace(run, shard=Shard())
        parts.append((whole, [family for family in families if family.scope == "global"]))
    return [(part, chosen) for part, chosen in parts if chosen]


def _write(
    warehouse: Warehouse, store: ModelStore, run: Run, one: OriginFit
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Store, log, then put in service: a kill between them leaves nothing half in service.

    Returns:
        The rows of model_log, and the models as they are stored, by series_id.
    """
    origin, family = one.origin, one.family
    log_rows, stored = store_fit(
        store, run, one, f"shard-{run.shard.index:05d}", model_version(run, origin)
    )
    parts = (family.name, origin.origin_date, run.shard.index)
    warehouse.append("model_log", pd.DataFrame(log_rows), run.job_id("model_log", *parts))
    events = [_event(run, origin, family, row) for row in log_rows if row["status"] == "trained"]
    if events:
        warehouse.append("model_events", pd.DataFrame(events), run.job_id("model_events", *parts))
    return log_rows, stored


def _show(warehouse: Warehouse, store: ModelStore, run: Run, models: dict[str, bytes]) -> None:
    """Put copies of the champion's newest models where people look, or take old ones away."""
    family = make_family(run.use_case.champion, run.use_case.family_settings(run.use_case.champion))
    if not models or _serves_later(warehouse, run, run.origins[-1]):
        return
    if family.scope == "global" or is_for_people(warehouse, run, run.origins[-1]):
        publish(store, run, family, models)
    else:
        withdraw(store, run, family, models)


def store_fit(
    store: ModelStore, run: Run, one: OriginFit, part: str, version: str
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Store the models of a fit in one packed object, and shape the fit as model_log holds it.

    Args:
        store: where the object goes.
        run: the run.
        one: the fit.
        part: the object's own name under `runs/<run_id>/…`.
        version: of the models.

    Returns:
        The rows, and the models as they are stored (by an earlier attempt, if there was one), by
        series_id.
    """
    origin, family = one.origin, one.family
    folder = f"runs/{encode_part(run.run_id)}/{run.use_case.name}/{family.name}"
    name = f"{folder}/{origin.origin_date:%Y-%m-%d}/{part}.jsonl"
    dumped = {sid: family.dumps(model.model) for sid, model in one.fitted.models.items()}
    stored = _store_once(store, name, dumped)
    rows = [
        row
        for row in model_rows(run, one, version)
        if row["status"] == "failed" or (row["series_id"] or GLOBAL_SERIES) in stored
    ]
    for row in rows:
        if row["status"] == "trained":
            data = stored[row["series_id"] or GLOBAL_SERIES]
            row |= {"object": name, "sha256": sha256_of(data)}
    return rows, stored


def _store_once(store: ModelStore, name: str, models: dict[str, bytes]) -> dict[str, bytes]:
    """Write a packed object under its immutable name; an earlier attempt's stays and counts."""
    if not models:
        return {}
    try:
        store.put(name, pack(models), generation=0)
    except AlreadyThere:
        return unpack_whole(store.get(name), name)
    return models


def model_version(run: Run, origin: Origin) -> str:
    """The version of the models that a run fits as of an origin."""
    return f"{origin.origin_date:%Y%m%d}-{run.run_id}"


def model_rows(run: Run, one: OriginFit, version: str) -> list[dict[str, Any]]:
    """Shape a fit of a version as model_log holds it, without where its models are stored."""
    family, fitted, common = one.family, one.fitted, _common(run, one, version)
    n_rows = one.panel.groupby("series_id").size().to_dict()
    n_rows[GLOBAL_SERIES] = len(one.panel)
    provenance = one.provenance()
    ranges = regressor_ranges(family, fitted, one.panel, run.use_case.panel_columns)
    contradicting = contradictions(family, fitted, ranges, run.use_case.regressors)
    rows = [
        {
            **common,
            "series_id": series_id or None,
            "segment": provenance.get(series_id, {}).get("segment"),
            "train_start": model.train_start,
            "train_end": model.train_end,
            "n_obs": model.n_obs,
            "n_left_out": n_rows[series_id] - model.n_obs,
            "hyperparameters": orjson.dumps(
                {**model.hyperparameters, **provenance.get(series_id, {})}
            ).decode(),
            "metrics": orjson.dumps(model.metrics).decode(),
            "regressor_ranges": ranges.get(series_id),
            "regressors_left_out": json_or_null(model.regressors_left_out),
            "regressors_contradicting": json_or_null(contradicting.get(series_id)),
            "status": "trained",
        }
        for series_id, model in fitted.models.items()
    ]
    failed = [
        {**common, "series_id": series_id or None, "status": "failed", "error": reason}
        for series_id, reason in fitted.failures.items()
    ]
    return rows + failed


def _common(run: Run, one: OriginFit, version: str) -> dict[str, Any]:
    """The columns of model_log that all rows of a fit share."""
    return {
        "run_id": run.run_id,
        "shard": run.shard.index,
        "use_case": run.use_case.name,
        "model_name": one.family.name,
        "model_version": version,
        "origin_date": one.origin.origin_date,
        "as_of_at": one.origin.as_of_at,
        "trained_at": datetime.now(UTC),
        "code_version": code_version(),
    }


def _event(run: Run, origin: Origin, family: Family[Any], row: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "use_case": run.use_case.name,
        "series_id": row["series_id"],
        "model_name": family.name,
        "model_version": row["model_version"],
        "stage": "serving",
        "reason": "trained",
        "actor": "train",
        "as_of_at": origin.as_of_at,
        "logged_at": datetime.now(UTC),
    }


def _serves_later(warehouse: Warehouse, run: Run, origin: Origin) -> bool:
    """Whether models of a later instant serve: a replay must not put its own before them."""
    later = warehouse.read(
        """
        select count(*) as n
        from {model_events}
        where use_case = @use_case and model_name = @model_name and stage = 'serving'
            and as_of_at > @as_of_at
        """,
        use_case=run.use_case.name,
        model_name=run.use_case.champion,
        as_of_at=origin.as_of_at,
    )
    return bool(later["n"].iloc[0])


def is_for_people(warehouse: Warehouse, run: Run, origin: Origin) -> bool:
    """Whether the run, all its shards together, has few enough series for an object of each."""
    condition, parameters = series_in_scope(replace(run, shard=Shard()))
    statement = N_SERIES.replace("{series}", f"{{{run.use_case.name}_series}}")
    found = warehouse.read(
        statement.replace("{scope}", condition), origin_date=origin.origin_date, **parameters
    )
    return int(found["n"].iloc[0]) <= run.use_case.per_series_objects_up_to


def publish(store: ModelStore, run: Run, family: Family[Any], models: dict[str, bytes]) -> None:
    """Copy serving models to the paths that people know; no job reads them."""
    store.put_many(
        {
            public_path(run.use_case.name, family, series_id): data
            for series_id, data in models.items()
        }
    )


def withdraw(store: ModelStore, run: Run, family: Family[Any], models: Mapping[str, bytes]) -> None:
    """Remove the copies of an earlier run's models, which these have taken the place of."""
    replaced = {public_path(run.use_case.name, family, series_id) for series_id in models}
    there = [one.name for one in store.list(f"models/{encode_part(run.use_case.name)}/")]
    for name in there:
        if name in replaced:
            with suppress(ObjectMissing):  # another attempt of this task has removed it
                store.delete(name)


def public_path(use_case: str, family: Family[Any], series_id: str) -> str:
    """Public path of the serving model of a series, or of a global family."""
    if family.scope == "global":
        return model_path(use_case, [family.name, "model"])
    return model_path(use_case, split_key(series_id))


def log_failures(run: Run, family: str, fitted: Fitted[Any]) -> None:
    """Say how many series could not be fitted, and why the first few."""
    if not fitted.failures:
        return
    names = [f"{series_id} ({reason})" for series_id, reason in sorted(fitted.failures.items())]
    warn(
        Event.FIT_FAILED,
        f"train: {family} could not be fitted on {len(names)} series: {first_few(names)}. "
        "They fall back; model_log has every reason.",
        run_id=run.run_id,
        model_name=family,
        n_failed=len(names),
    )
