"""The record of a retraining: stored first, then logged and promoted from.

A run that was killed goes on with the decisions that it had made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pandas as pd

from python_jobs.families.base import Family
from python_jobs.fitting.train import public_path
from python_jobs.infra.logs import Event, log, warn
from python_jobs.infra.object_names import encode_part
from python_jobs.infra.run import Run
from python_jobs.infra.store import AlreadyThere, ModelStore, ObjectMissing
from python_jobs.infra.warehouse import Warehouse
from python_jobs.registry.packing import unpack_whole
from python_jobs.registry.promotion import PromotionLost, generations, replace_copy, served_later
from python_jobs.selection.retrain_series import Chosen, Why, left_out_of
from python_jobs.selection.tune_record import recipe_row, to_json

DECIDED = """
select distinct series_id
from {model_events}
where use_case = @use_case and run_id = @run_id and actor = 'retrain'
"""

NO_MODEL = "no_model"
"""Stage of an event that is about a series and none of its model versions."""

REFUSED = "refused"
"""Decision on a series that cannot be forecast now: nothing was looked at, nothing changes."""

Options = dict[str, Any]
"""A recipe: the options that replace those of the settings."""


@dataclass
class Record:
    """Every decision of a retraining; logs and promotions are made from it.

    Attributes:
        decided_at: when.
        series: by series_id: decision, why, segment, recipe (of a promoted one), winner and loser
            (versions, null where one could not be fitted), numbers.
        models: rows for model_log.
        has_copies: whether each series has a copy of its own for people.
        chance: share of the comparisons that chance alone would promote, over all series.
    """

    decided_at: str
    series: dict[str, dict[str, Any]]
    models: list[dict[str, Any]]
    has_copies: bool
    chance: float | None = None


def seen_copies(
    store: ModelStore, run: Run, family: Family[Any], names: Iterable[str]
) -> dict[str, int]:
    """The generation of each series' public copy, by series_id; 0 where there is none."""
    paths = {name: public_path(run.use_case.name, family, name) for name in names}
    found = generations(store, paths.values())
    return {name: found[path] for name, path in paths.items()}


def was_begun(store: ModelStore, run: Run) -> bool:
    """Whether an earlier attempt of this run has settled its series."""
    return store.stat(_own(run, "series")) is not None


def _own(run: Run, what: str) -> str:
    return f"runs/{encode_part(run.run_id)}/{run.use_case.name}/retrain/{what}.json"


def remembered(
    store: ModelStore, run: Run, what: str, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The record of an earlier attempt of this run; else make one and store it."""
    name = _own(run, what)
    try:
        return dict(orjson.loads(store.get(name)))
    except ObjectMissing:
        pass
    packed = orjson.dumps(make(), default=str, option=orjson.OPT_SERIALIZE_NUMPY)
    try:
        store.put(name, packed, generation=0)
    except AlreadyThere:
        return dict(orjson.loads(store.get(name)))
    return dict(orjson.loads(packed))


def carry_out(
    warehouse: Warehouse,
    store: ModelStore,
    run: Run,
    family: Family[Any],
    record: Record,
    seen: Mapping[str, int],
) -> dict[str, str]:
    """Log the models, then put each winner in service: its copy first, its event last.

    What an earlier attempt did is not done again.

    Args:
        warehouse: gets the rows.
        store: holds the models and the copies.
        run: the retraining.
        family: the champion.
        record: what was decided.
        seen: by series_id, the generation of its copy before anything was decided.

    Returns:
        By series_id, why it could not be promoted: somebody else was quicker.
    """
    warehouse.append("model_log", _revived(record.models), run.job_id("model_log", "retrain"))
    known = warehouse.read(DECIDED, use_case=run.use_case.name, run_id=run.run_id)
    todo = [name for name in record.series if name not in set(known["series_id"])]
    copies = _copies(warehouse, store, run, family, record, todo)
    lost: dict[str, str] = {}
    for name, data in copies.items():
        if not record.has_copies and not seen[name]:
            continue
        try:
            path = public_path(run.use_case.name, family, name)
            replace_copy(store, path, data, seen[name])
        except PromotionLost as error:
            lost[name] = str(error)
    won = [name for name in todo if name not in lost]
    _append(warehouse, run, "model_log", [_recipe_row(run, family, record, name) for name in won])
    rows = [row for name in won for row in _event_rows(run, family, record, name)]
    _append(warehouse, run, "model_events", rows)
    return lost


def _copies(
    warehouse: Warehouse,
    store: ModelStore,
    run: Run,
    family: Family[Any],
    record: Record,
    names: list[str],
) -> dict[str, bytes]:
    """The winners as they are stored, of series that no later model serves."""
    winners = {name: record.series[name]["winner"] for name in names}
    as_of_at = run.origins[-1].as_of_at
    later = served_later(warehouse, run.use_case, family.name, names, as_of_at)
    objects = {
        (row["series_id"], row["model_version"]): row["object"]
        for row in record.models
        if row["status"] == "trained"
    }
    packed: dict[str, dict[str, bytes]] = {}
    found = {}
    for name, version in winners.items():
        if version is None or name in later:
            continue
        object_name = objects[name, version]
        if object_name not in packed:
            packed[object_name] = unpack_whole(store.get(object_name), object_name)
        found[name] = packed[object_name][name]
    return found


def _append(warehouse: Warehouse, run: Run, table: str, rows: list[dict[str, Any] | None]) -> None:
    """Append rows under a job id of these very series: the rest may follow in another attempt."""
    kept = [row for row in rows if row is not None]
    if not kept:
        return
    names = "\n".join(sorted({row["series_id"] for row in kept}))
    digest = hashlib.sha256(names.encode()).hexdigest()[:12]
    warehouse.append(table, _revived(kept), run.job_id(table, "retrained", digest))


def _recipe_row(run: Run, family: Family[Any], record: Record, name: str) -> dict[str, Any] | None:
    """The model_log row that puts a promoted series' recipe in force."""
    one, origin = record.series[name], run.origins[-1]
    if one["recipe"] is None:
        return None
    return recipe_row(run, family, origin, name, one["segment"], one["recipe"])


def _event_rows(
    run: Run, family: Family[Any], record: Record, name: str
) -> list[dict[str, Any] | None]:
    """The winner's event and the loser's; where neither could be fitted, one of no version."""
    one = record.series[name]
    event = _event(run, family, name, one["numbers"], record.decided_at)
    stages = (("serving", one["winner"]), ("candidate", one["loser"]))
    return [
        {**event, "stage": stage, "model_version": version}
        for stage, version in stages
        if version is not None
    ] or [event]


def _event(
    run: Run, family: Family[Any], name: str, numbers: Mapping[str, Any], decided_at: str
) -> dict[str, Any]:
    """A row of model_events that names no version."""
    return {
        "run_id": run.run_id,
        "use_case": run.use_case.name,
        "series_id": name,
        "model_name": family.name,
        "stage": NO_MODEL,
        "reason": numbers["decision"],
        "numbers": to_json(numbers),
        "actor": "retrain",
        "as_of_at": run.origins[-1].as_of_at,
        "logged_at": decided_at,
    }


def record_refused(warehouse: Warehouse, run: Run, family: Family[Any], chosen: Chosen) -> None:
    """Log a refused decision for each selected series that cannot be forecast now."""
    now = datetime.now(UTC).isoformat()
    rows: list[dict[str, Any] | None] = [
        _event(run, family, name, _refusal(chosen, name), now) for name in sorted(chosen.left_out)
    ]
    _append(warehouse, run, "model_events", rows)


def _refusal(chosen: Chosen, name: str) -> dict[str, Any]:
    message = f"cannot be forecast now: {chosen.left_out[name]}"
    return {"decision": REFUSED, "why": message, **asdict(chosen.why.get(name, Why()))}


def _revived(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows read from JSON, cast to their table's types."""
    frame = pd.DataFrame(rows)
    for name in frame:
        if str(name) in ("origin_date", "train_start", "train_end"):
            frame[name] = [_day(value) for value in frame[name]]
        elif str(name).endswith("_at"):
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    return frame


def _day(value: object) -> date | None:
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    return value if isinstance(value, date) else None


@dataclass
class RetrainReport:
    """Counts of a retraining.

    Attributes:
        decisions: by series_id.
        left_out: by series_id, why it cannot be forecast now.
        lost: by series_id, why it could not be promoted.
        n_over: candidates that the cap left to the next run.
        chance: share that chance alone would promote; None where nothing was compared.
    """

    decisions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    n_over: int = 0
    chance: float | None = None

    def __str__(self) -> str:
        counts = pd.Series(list(self.decisions.values()), dtype=str).value_counts()
        message = ", ".join(f"{n} {decision}" for decision, n in counts.items()) or "nothing to do"
        message = f"{len(self.decisions)} series: {message}"
        if self.chance is not None:
            message += f"; chance alone would promote {self.chance:.1%} of them"
        if self.left_out:
            message += f"; {len(self.left_out)} cannot be forecast now"
        if self.n_over:
            message += f"; {self.n_over} more are due and left to the next run (max_series)"
        return message


def log_decisions(run: Run, chosen: Chosen, record: Record, lost: Mapping[str, str]) -> None:
    """Log one line a series, then what was left out."""
    for name, one in record.series.items():
        if name in lost:
            warn(
                Event.RETRAINED,
                f"{name}: {lost[name]}",
                run_id=run.run_id,
                series_id=name,
                model_name=run.use_case.champion,
            )
            continue
        numbers = one["numbers"]
        log(
            Event.RETRAINED,
            f"{name}: {one['decision']}, {one['why']} ({', '.join(numbers['rules'])})",
            run_id=run.run_id,
            series_id=name,
            model_name=run.use_case.champion,
            model_version=one["winner"],
            **{key: value for key, value in numbers.items() if key != "tried"},
        )
    if chosen.left_out:
        warn(
            Event.SERIES_REFUSED,
            f"retrain: {left_out_of(chosen)}",
            run_id=run.run_id,
            left_out=chosen.left_out,
        )
