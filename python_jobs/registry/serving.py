"""Resolve each series to its serving model through the registry in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from python_jobs.families.base import GLOBAL_SERIES, Family
from python_jobs.infra.foreign import unforeseen
from python_jobs.infra.run import Run
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.store import ModelStore, ObjectFault, sha256_of
from python_jobs.infra.warehouse import Warehouse
from python_jobs.registry.packing import Unpacked, unpack

SERVING = """
select series_id, origin_date, model_version, object, sha256, train_end
from {serving_models}
where use_case = @use_case and model_name = @model_name and (series_id is null or ({scope}))
"""


@dataclass(frozen=True)
class LoadedModels:
    """Models read from the store.

    Attributes:
        models: by `key(model_version, series_id)`.
        faults: by the same key, why a model that the registry names cannot be used.
    """

    models: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def key(model_version: str, series_id: str) -> str:
    """Key of one model: version and series, because one run's version covers many series."""
    return f"{model_version}:{series_id}"


def serving_models(warehouse: Warehouse, run: Run, model_name: str) -> pd.DataFrame:
    """Read which version serves each series at each origin of the run.

    Returns:
        One row per series_id (null for a global model) and origin_date: model_version, object,
        sha256, train_end.
    """
    condition, parameters = series_in_scope(run)
    statement = SERVING.replace("{scope}", condition)
    parameters |= {"use_case": run.use_case.name, "model_name": model_name}
    return warehouse.read(statement, **parameters)


def load_models(store: ModelStore, family: Family[Any], serving: pd.DataFrame) -> LoadedModels:
    """Read the models that serve, each checked against the checksum that the registry holds.

    An object that is missing costs the models in it, a damaged line of one its own; never the run.
    """
    loaded = LoadedModels()
    read = store.get_many([str(name) for name in serving["object"].dropna().unique()])
    for name, wanted in serving.groupby("object"):
        try:
            packed = _unpacked(read[str(name)], str(name))
        except ObjectFault as fault:
            loaded.faults.update({_key_of(row): str(fault) for row in wanted.itertuples()})
            continue
        distinct = wanted.drop_duplicates(["series_id", "model_version"]).astype(object)
        for row in distinct.itertuples():
            _load_one(family, row, packed, loaded)
    return loaded


def _unpacked(read: bytes | ObjectFault, name: str) -> Unpacked:
    if isinstance(read, ObjectFault):
        raise read
    return unpack(read, name)


def _load_one(
    family: Family[Any],
    row: Any,  # noqa: ANN401 - a row of itertuples
    packed: Unpacked,
    loaded: LoadedModels,
) -> None:
    data = packed.models.get(_series_of(row))
    if data is None:
        missing = f"{row.object} has no model of this series"
        loaded.faults[_key_of(row)] = packed.damage or missing
    elif sha256_of(data) != row.sha256:
        loaded.faults[_key_of(row)] = f"{row.object}: the model's checksum is not the registry's"
    else:
        try:
            loaded.models[_key_of(row)] = family.loads(data)
        except Exception as error:  # noqa: BLE001 - whatever its bytes are, they cost their series
            reason = str(error) if isinstance(error, ValueError) else unforeseen(error)
            loaded.faults[_key_of(row)] = f"{row.object}: {reason}"


def _series_of(row: Any) -> str:  # noqa: ANN401 - a row of itertuples
    return row.series_id if isinstance(row.series_id, str) else GLOBAL_SERIES


def _key_of(row: Any) -> str:  # noqa: ANN401 - a row of itertuples
    return key(row.model_version, _series_of(row))
