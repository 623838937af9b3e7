"""Write a stored model in a format that other people's software reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from python_jobs.families import make_family
from python_jobs.families.base import Family
from python_jobs.fitting.fit import read_panel, rows_for, usable_rows
from python_jobs.infra.errors import SettingsError, ShelfcastError
from python_jobs.infra.run import Run, Selection
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import UseCase
from python_jobs.infra.store import ModelStore
from python_jobs.infra.warehouse import Warehouse
from python_jobs.registry.serving import load_models

STORED = """
select
    series_id, model_version, stage, object, sha256, origin_date, as_of_at, train_end
from {models}
where use_case = @use_case and model_name = @model_name
    and (series_id = @series_id or series_id is null)
    and if(@model_version is null, stage = 'serving', model_version = @model_version)
order by stage_as_of_at desc, stage_at desc
limit 1
"""

KNOWN = "select count(*) as n from {keys} where series_id = @series_id"


class ExportRefused(ShelfcastError):
    """A model cannot be written in the format asked for, or not truly."""


@dataclass(frozen=True)
class Export:
    """A model written in another format.

    Attributes:
        text: what the other software reads.
        model_version: which model it is.
        not_expressed: what the format has no place for, a sentence each.
    """

    text: str
    model_version: str
    not_expressed: list[str]


@dataclass(frozen=True)
class Wanted:
    """Which stored model is asked for.

    Attributes:
        series_id: whose.
        model_name: its family.
        model_version: of it; None: the one that serves.
    """

    series_id: str
    model_name: str
    model_version: str | None = None


def export_prophet(
    warehouse: Warehouse,
    store: ModelStore,
    run: Run,
    wanted: Wanted,
    look_back: Callable[[Origin], Warehouse],
) -> Export:
    """Write a stored Prophet as stock Prophet's JSON, with the panel that it was trained on.

    Args:
        warehouse: holds the registry.
        store: holds the model.
        run: use case; no run is written.
        wanted: which model.
        look_back: opens the warehouse with the panel as it was for an origin.

    Raises:
        SettingsError: the use case has no such series or family.
        ExportRefused: no such model is stored, it cannot be read, it is no Prophet, or the panel is
            not the one that it was fitted on.
    """
    family = _prophet_family(run.use_case, wanted)
    row = _stored(warehouse, run.use_case, wanted)
    model = _load(store, family, row, wanted)
    origin = Origin(row["origin_date"].date(), row["as_of_at"].to_pydatetime())
    panel = _panel(look_back(origin), run, origin, family, wanted.series_id)
    from python_jobs.families.prophet.export import dump_stock, not_expressed, to_stock

    try:
        prophet = to_stock(model, panel, family.settings.interval)
    except ValueError as error:
        raise ExportRefused(
            f"{wanted.series_id}: {error}. Its sources or the settings have changed since "
            f"{row['model_version']} was trained as of {origin.as_of_at:%Y-%m-%d %H:%M %Z}; train "
            "it again and export that."
        ) from error
    return Export(
        dump_stock(prophet), str(row["model_version"]), not_expressed(model, family.settings)
    )


def _prophet_family(use_case: UseCase, wanted: Wanted) -> Family[Any]:
    if wanted.model_name not in use_case.families:
        raise SettingsError(
            f"{use_case.name} has no family '{wanted.model_name}' (families: "
            f"{', '.join(use_case.families)}). Name one with --model-name."
        )
    family = make_family(wanted.model_name, use_case.family_settings(wanted.model_name))
    from python_jobs.families.prophet.family import ProphetFamily

    if not isinstance(family, ProphetFamily):
        others = ", ".join(name for name in use_case.families if name.startswith("prophet"))
        raise ExportRefused(
            f"{wanted.series_id}: models of family '{wanted.model_name}' are no Prophet models, "
            "and --format prophet writes nothing else."
            + (f" Name another family with --model-name ({others})." if others else "")
        )
    return family


def _stored(warehouse: Warehouse, use_case: UseCase, wanted: Wanted) -> pd.Series[Any]:
    """The registry's row of the model asked for."""
    found = warehouse.read(
        STORED,
        use_case=use_case.name,
        model_name=wanted.model_name,
        series_id=wanted.series_id,
        model_version=wanted.model_version,
    )
    if not found.empty:
        return found.iloc[0]
    keys = KNOWN.replace("{keys}", f"{{{use_case.name}_keys}}")
    if not warehouse.read(keys, series_id=wanted.series_id)["n"].iloc[0]:
        raise SettingsError(
            f"{use_case.name} has no series '{wanted.series_id}'. --series takes one whole "
            "series_id here; `shelfcast models list` shows those that have models."
        )
    which = f"of version {wanted.model_version} is stored" if wanted.model_version else "serves"
    raise ExportRefused(
        f"{wanted.series_id}: no model of family '{wanted.model_name}' {which}. "
        "`shelfcast models list` shows what there is, `shelfcast train` makes one."
    )


def _load(store: ModelStore, family: Family[Any], row: pd.Series[Any], wanted: Wanted) -> Any:  # noqa: ANN401 - a family's own model
    loaded = load_models(store, family, pd.DataFrame([row]))
    for fault in loaded.faults.values():
        raise ExportRefused(
            f"{wanted.series_id}: version {row['model_version']} cannot be read: {fault}."
        )
    (model,) = loaded.models.values()
    return model


def _panel(
    warehouse: Warehouse, run: Run, origin: Origin, family: Family[Any], series_id: str
) -> pd.DataFrame:
    """The rows of one series that training had as of an origin."""
    panel = usable_rows(rows_for(family, read_panel(warehouse, run, origin)))
    return panel[panel["series_id"] == series_id].reset_index(drop=True)


def only(series_id: str) -> Selection:
    """The selection of one series, whatever its name holds.

    A `*` in a name is a wildcard there, so that more may be selected.
    """
    return Selection(series_id.replace(",", "\\,"))
