"""Forecast issued rows again with other regressors: a scenario's, or the observed weather.

The question is SQL's: a panel of issued forecasts with their regressors as they were known when
they were issued, some of them replaced. The answer comes from the very models that issued, and goes
to scenario_log; nothing that was issued changes.
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
from python_jobs.families.base import GLOBAL_SERIES, Y_CONTEXT, Family
from python_jobs.fitting.pool import OnProgress
from python_jobs.fitting.windows import reads_context, with_windows
from python_jobs.infra.run import Run
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.series import split_key
from python_jobs.infra.settings import code_version
from python_jobs.infra.store import ModelStore
from python_jobs.infra.warehouse import Warehouse
from python_jobs.prediction.predict import Assigned, assign, forecast
from python_jobs.registry.serving import LoadedModels, load_models

PANEL = """
select *
from {panel}
where scenario = @scenario and {scope}
order by series_id, origin_date, horizon_step
"""

STORED = """
select series_id, model_version, object, sha256, train_end, regressor_ranges
from {model_log}
where use_case = @use_case and model_name = @model_name and status = 'trained'
    and model_version in unnest(@versions)
"""

ROWS = """
select * from {scenarios}
where scenario = @scenario
order by source_row
"""


@dataclass(frozen=True)
class Question:
    """A scenario and the issued forecasts that it changes.

    Attributes:
        panel: the forecasts that it concerns, with the regressors as supposed.
        unused: its rows that concern none, with rejected_because.
    """

    panel: pd.DataFrame
    unused: pd.DataFrame


def read_panel(warehouse: Warehouse, run: Run, panel: str, scenario: str) -> pd.DataFrame:
    """Read the forecasts that are to be made again, with the regressors as supposed.

    Args:
        warehouse: holds them.
        run: use case, selection and shard.
        panel: the dbt model that says what is supposed.
        scenario: its name.

    Returns:
        One row per series_id, origin_date and horizon_step, sorted by them.
    """
    condition, parameters = series_in_scope(run)
    statement = PANEL.replace("{panel}", f"{{{panel}}}").replace("{scope}", condition)
    return warehouse.read(statement, scenario=scenario, **parameters)


def ask(warehouse: Warehouse, run: Run, scenario: str) -> Question:
    """Read a scenario's panel, and the scenario rows that match no issued forecast."""
    name = run.use_case.name
    panel = read_panel(warehouse, run, f"{name}_scenario_panel", scenario)
    statement = ROWS.replace("{scenarios}", f"{{stg_{name}_scenarios}}")
    rows = warehouse.read(statement, scenario=scenario)
    is_used = _are_used(rows, panel, list(run.use_case.key))
    rows["rejected_because"] = rows["rejected_because"].where(
        rows["rejected_because"].notna(), "no_such_week_was_forecast"
    )
    return Question(panel, rows[~is_used])


def _are_used(rows: pd.DataFrame, panel: pd.DataFrame, parts: Sequence[str]) -> pd.Series:
    """Which rows of a scenario name a period of a series in the panel."""
    supposed = panel[panel["is_supposed"].astype(bool)]
    keys = [split_key(name)[: len(parts)] for name in supposed["series_id"]]
    named = pd.DataFrame(keys, columns=list(parts), index=supposed.index)
    named["target_date"] = supposed["target_date"]
    distinct = {part: set(named[part]) for part in parts}
    found = []
    for row in rows.to_dict("records"):
        wanted = {part: row[part] for part in parts if row[part] != "*"}
        is_there = pd.isna(row["rejected_because"]) and all(
            value in distinct[part] for part, value in wanted.items()
        )
        if is_there:
            matches = named["target_date"] == row["target_date"]
            for part, value in wanted.items():
                matches &= named[part] == value
            is_there = bool(matches.any())
        found.append(is_there)
    return pd.Series(found, index=rows.index, dtype=bool)


def answer(
    warehouse: Warehouse,
    store: ModelStore,
    run: Run,
    panel: pd.DataFrame,
    n_jobs: int,
    on_progress: OnProgress,
) -> pd.DataFrame:
    """Forecast the rows of a panel with the models that issued them.

    A row whose forecast was a baseline's keeps it: no regressor moves a baseline. A model that
    cannot be read, a regressor that is no number, or a window of y that is no longer held, leaves
    yhat null, with the reason.

    Args:
        warehouse: holds the registry.
        store: holds the models.
        run: use case.
        panel: as `read_panel` returns it.
        n_jobs: processes for a local family.
        on_progress: called with series done and their number.

    Returns:
        The rows of `panel`, as scenario_log holds them but for what `record` adds.
    """
    parts = []
    for name, rows in panel.groupby("model_name", sort=False):
        family = make_family(str(name), run.use_case.family_settings(str(name)))
        stored = _stored_models(warehouse, run, str(name), rows)
        asked = rows
        if reads_context(family):
            asked = with_windows(warehouse, run, rows, rows["origin_date"])
        assigned = _assigned(family, store, asked, stored)
        made = forecast(family, assigned, n_jobs, on_progress)
        made["outside_range"] = _outside_ranges(made, run.use_case.panel_columns, family, stored)
        parts.append(made)
    rows = pd.concat(parts).loc[panel.index]
    is_baseline = rows["is_fallback"].astype(bool)
    rows["yhat"] = rows["yhat"].where(~is_baseline, rows["yhat_as_issued"])
    return rows


def _stored_models(
    warehouse: Warehouse, run: Run, model_name: str, rows: pd.DataFrame
) -> pd.DataFrame:
    versions = sorted(rows["model_version"].dropna().unique())
    stored = warehouse.read(
        STORED, use_case=run.use_case.name, model_name=model_name, versions=versions or [""]
    )
    return stored.drop_duplicates(["series_id", "model_version"], keep="last")


def _assigned(
    family: Family[Any], store: ModelStore, rows: pd.DataFrame, stored: pd.DataFrame
) -> Assigned:
    future = rows.copy()
    is_model = future["model_version"].notna() & ~future["is_fallback"].astype(bool)
    future["route"] = np.where(is_model, "model", "baseline")
    future["reason"] = future["reason"].where(~is_model, None)
    on = ["model_version"] if family.scope == "global" else ["series_id", "model_version"]
    future = future.merge(stored[[*on, "train_end"]], how="left", on=on, validate="many_to_one")
    future.index = rows.index
    asked = stored.merge(future.loc[is_model, on].drop_duplicates(), on=on)
    loaded = load_models(store, family, asked) if len(asked) else LoadedModels()
    assigned = assign(family, future, loaded, {})
    keys = assigned.rows["model_key"]
    is_lost = keys.notna() & ~keys.isin(list(loaded.models))
    assigned.rows.loc[is_lost, "reason"] = "model_unreadable: the registry does not name it"
    assigned.rows.loc[is_lost, "model_key"] = None
    if Y_CONTEXT in rows:
        is_gone = assigned.rows["model_key"].notna() & assigned.rows[Y_CONTEXT].isna()
        assigned.rows.loc[is_gone, "reason"] = "no_window: a later run looks back from elsewhere"
        assigned.rows.loc[is_gone, "model_key"] = None
    return assigned


def _outside_ranges(
    rows: pd.DataFrame, regressors: Sequence[str], family: Family[Any], stored: pd.DataFrame
) -> pd.Series:
    """By row, the regressors outside their training range, in words; null where none is."""
    names = [GLOBAL_SERIES] * len(stored) if family.scope == "global" else stored["series_id"]
    ranges = {
        (name, version): orjson.loads(text) if isinstance(text, str) else {}
        for name, version, text in zip(
            names, stored["model_version"], stored["regressor_ranges"], strict=True
        )
    }
    found = []
    for row in rows.to_dict("records"):
        name = GLOBAL_SERIES if family.scope == "global" else row["series_id"]
        known = ranges.get((name, row["model_version"]), {})
        phrases = [
            f"{regressor} {row[regressor]:g} not in {bounds[0]:g}..{bounds[1]:g}"
            for regressor in regressors
            if (bounds := known.get(regressor)) is not None
            and pd.notna(row[regressor])
            and not bounds[0] <= row[regressor] <= bounds[1]
        ]
        found.append("; ".join(phrases) or None)
    return pd.Series(found, index=rows.index, dtype=object)


def record(warehouse: Warehouse, run: Run, rows: pd.DataFrame) -> None:
    """Append answers to scenario_log."""
    regressors = list(run.use_case.regressors)
    names = [
        "scenario",
        "series_id",
        "model_name",
        "model_version",
        "origin_date",
        "target_date",
        "horizon_step",
        "issued_run_id",
        "yhat_as_issued",
        "yhat",
        "yhat_lower",
        "yhat_upper",
        "is_supposed",
        "regressors_as_known",
        "outside_range",
        "reason",
    ]
    supposed = rows[regressors].to_dict("records")
    frame = rows[names].assign(
        run_id=run.run_id,
        use_case=run.use_case.name,
        regressors_as_supposed=[
            orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY).decode() for values in supposed
        ],
        code_version=code_version(),
        computed_at=datetime.now(UTC),
    )
    scenario = str(rows["scenario"].iloc[0])
    warehouse.append("scenario_log", frame, run.job_id("scenario_log", scenario))
