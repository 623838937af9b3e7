"""The versions of one series' model: show them, promote one, roll back to the one before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pandas as pd

from python_jobs.families import make_family
from python_jobs.families.base import Family
from python_jobs.fitting.fit import WHOLE, tunable
from python_jobs.fitting.train import public_path
from python_jobs.infra.errors import RunStopped, SettingsError, first_few
from python_jobs.infra.logs import Event, log
from python_jobs.infra.run import Run, new_run_id
from python_jobs.infra.schedule import origin_at
from python_jobs.infra.settings import UseCase
from python_jobs.infra.store import ModelStore
from python_jobs.infra.warehouse import Warehouse
from python_jobs.registry.packing import unpack_whole
from python_jobs.registry.promotion import generations, replace_copy, served_later, serving_versions
from python_jobs.registry.serving import load_models
from python_jobs.selection.tune_record import recipe_row, to_json

VERSIONS = """
select
    models.series_id, models.model_name, models.model_version, models.origin_date, models.as_of_at,
    models.train_start, models.train_end, models.n_obs, events.stage, events.reason, events.actor,
    events.as_of_at as stage_as_of_at, events.logged_at as stage_at, models.metrics,
    models.hyperparameters, models.regressors_left_out, models.regressors_contradicting,
    events.numbers
from {model_log} as models
left join {model_events} as events
    on models.use_case = events.use_case and models.model_name = events.model_name
        and models.series_id = events.series_id and models.model_version = events.model_version
where models.use_case = @use_case and models.series_id = @series_id and models.status = 'trained'
order by
    coalesce(events.as_of_at, models.as_of_at), coalesce(events.logged_at, models.trained_at),
    models.model_name, events.stage desc, models.model_version
"""

DECISIONS = """
select
    decided_at, run_id, decision, why, rules, champion_wape, challenger_wape, baseline_wape,
    n_periods, chance_promotion_rate
from {retraining_log}
where use_case = @use_case and series_id = @series_id
order by as_of_at, decided_at
"""

STORED = """
select
    series_id, model_version, segment, object, sha256, origin_date, as_of_at, train_end,
    hyperparameters
from {model_log}
where use_case = @use_case and model_name = @model_name and series_id = @series_id
    and status = 'trained'
order by as_of_at, trained_at, model_version
"""

HAS_SERVED = """
select model_version
from {model_events}
where use_case = @use_case and model_name = @model_name and series_id = @series_id
    and stage = 'serving' and as_of_at <= @as_of_at
order by as_of_at desc, logged_at desc
"""

DECISION = """
select json_value(numbers, '$.decision') as decision
from {model_events}
where use_case = @use_case and model_name = @model_name and series_id = @series_id
    and actor in ('retrain', 'promote', 'rollback') and as_of_at <= @as_of_at
    and json_value(numbers, '$.decision') not in (
        'refitted', 'too_few_periods', 'too_few_periods', 'refused'
    )
order by as_of_at desc, logged_at desc
limit 1
"""

N_FORECASTABLE = "select count(distinct series_id) as n from {series} where is_forecastable"


@dataclass(frozen=True)
class History:
    """Versions, events and retrainings of one series.

    Attributes:
        versions: one row a version and event, the newest last, with is_serving.
        decisions: one row a retraining, the newest last.
    """

    versions: pd.DataFrame
    decisions: pd.DataFrame


def history_of(warehouse: Warehouse, use_case: UseCase, series_id: str) -> History:
    """Read a series' versions, their events, and the retrainings that made them.

    Raises:
        SettingsError: no model of such a series was ever fitted.
    """
    rows = warehouse.read(VERSIONS, use_case=use_case.name, series_id=series_id)
    if rows.empty:
        raise _unknown_series(use_case, series_id)
    now, serving = datetime.now(UTC), set()
    for name in rows["model_name"].unique():
        serves = serving_versions(warehouse, use_case, str(name), [series_id], now)
        serving |= {(name, version) for version in serves.values()}
    pairs = zip(rows["model_name"], rows["model_version"], strict=True)
    rows.insert(3, "is_serving", [pair in serving for pair in pairs])
    decisions = warehouse.read(DECISIONS, use_case=use_case.name, series_id=series_id)
    return History(rows, decisions)


def _unknown_series(use_case: UseCase, series_id: str) -> SettingsError:
    return SettingsError(
        f"{use_case.name} has no model of a series '{series_id}'. --series takes one whole "
        f"series_id ({'|'.join(use_case.key)}) here; `shelfcast models list` shows those that have "
        "models."
    )


@dataclass
class Versions:
    """Puts stored versions of the champion family in service, one series at a time.

    Attributes:
        warehouse: the registry.
        store: the models.
        use_case: whose champion.
        as_of_at: the instant from which on a version is to serve; now.
        dry_run: check everything and write nothing.
    """

    warehouse: Warehouse
    store: ModelStore
    use_case: UseCase
    as_of_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    dry_run: bool = False

    def promote(self, series_id: str, model_version: str) -> str:
        """Let a version serve.

        Returns:
            What was done, in words.

        Raises:
            SettingsError: the champion is a global family, or there is no such series or version.
            RunStopped: the version is younger than the instant, or cannot be read, or another
                serves as of a later one.
            PromotionLost: somebody else replaced the public copy meanwhile.
        """
        family, stored = self._stored(series_id)
        if model_version not in stored:
            raise SettingsError(
                f"{series_id}: no version '{model_version}' is stored. There are "
                f"{len(stored)}, the newest first: {first_few(list(stored)[::-1], 5)}."
            )
        return self._put_in_service(family, stored[model_version], "promote")

    def roll_back(self, series_id: str) -> str:
        """Let the version serve again that served before. Returns and errors as of `promote`.

        Raises:
            RunStopped: no other version has served before.
        """
        family, stored = self._stored(series_id)
        now = self._serving(family, series_id)
        rows = self.warehouse.read(HAS_SERVED, **self._named(family, series_id))
        before = [one for one in rows["model_version"] if one != now and one in stored]
        if not before:
            raise RunStopped(
                f"{series_id}: nothing to go back to: no version served before {now or 'any'}. "
                "`shelfcast models show` lists what is stored; `shelfcast models promote` takes "
                "any of it."
            )
        return self._put_in_service(family, stored[before[0]], "rollback")

    def _stored(self, series_id: str) -> tuple[Family[Any], dict[str, pd.Series[Any]]]:
        """The champion family, and its versions of a series, oldest first."""
        name = self.use_case.champion
        family = make_family(name, self.use_case.family_settings(name))
        if family.scope == "global":
            raise SettingsError(
                f"{self.use_case.name}: {name} is one model for all series; none of them has a "
                "version of its own."
            )
        rows = self.warehouse.read(
            STORED, use_case=self.use_case.name, model_name=name, series_id=series_id
        )
        if rows.empty:
            raise _unknown_series(self.use_case, series_id)
        return family, {str(row["model_version"]): row for _, row in rows.iterrows()}

    def _serving(self, family: Family[Any], series_id: str) -> str | None:
        found = serving_versions(
            self.warehouse, self.use_case, family.name, [series_id], self.as_of_at
        )
        return found.get(series_id)

    def _named(self, family: Family[Any], series_id: str) -> dict[str, Any]:
        return {
            "use_case": self.use_case.name,
            "model_name": family.name,
            "series_id": series_id,
            "as_of_at": self.as_of_at,
        }

    def _put_in_service(self, family: Family[Any], row: pd.Series[Any], actor: str) -> str:
        series_id, version = str(row["series_id"]), str(row["model_version"])
        path = public_path(self.use_case.name, family, series_id)
        seen = generations(self.store, [path])[path]
        before = self._serving(family, series_id)
        if before == version and not self._is_on_baseline(family, series_id):
            message = f"{series_id}: {version} serves already; nothing was done."
            return self._log(message, family, series_id, version, actor)
        self._check(family, row)
        if self.dry_run:
            return f"{series_id}: {version} would serve, in place of {before or 'none'}."
        data = unpack_whole(self.store.get(row["object"]), row["object"])[series_id]
        if seen or self._has_copies():
            replace_copy(self.store, path, data, seen)
        self._write(family, row, before, actor)
        message = self._message(series_id, version, before, actor)
        return self._log(message, family, series_id, version, actor)

    def _log(
        self, message: str, family: Family[Any], series_id: str, version: str, actor: str
    ) -> str:
        log(
            Event.PROMOTED,
            message,
            series_id=series_id,
            model_name=family.name,
            model_version=version,
            actor=actor,
        )
        return message

    def _is_on_baseline(self, family: Family[Any], series_id: str) -> bool:
        rows = self.warehouse.read(DECISION, **self._named(family, series_id))
        return list(rows["decision"]) == ["serve_baseline"]

    def _check(self, family: Family[Any], row: pd.Series[Any]) -> None:
        series_id, version = str(row["series_id"]), row["model_version"]
        names = [series_id]
        if row["as_of_at"].to_pydatetime() > self.as_of_at:
            raise RunStopped(f"{series_id}: {version} was trained as of {row['as_of_at']}, later.")
        if served_later(self.warehouse, self.use_case, family.name, names, self.as_of_at):
            raise RunStopped(
                f"{series_id}: another version was put in service as of later than "
                f"{self.as_of_at:%Y-%m-%d %H:%M %Z}, and would serve all the same."
            )
        faults = load_models(self.store, family, pd.DataFrame([row])).faults
        for fault in faults.values():
            raise RunStopped(f"{series_id}: version {version} cannot be read: {fault}.")

    def _has_copies(self) -> bool:
        statement = N_FORECASTABLE.replace("{series}", f"{{{self.use_case.name}_series}}")
        n_series = int(self.warehouse.read(statement)["n"].iloc[0])
        return n_series <= self.use_case.per_series_objects_up_to

    def _write(
        self, family: Family[Any], row: pd.Series[Any], before: str | None, actor: str
    ) -> None:
        """Log the version's recipe before its event, so that a refit in between uses it."""
        origin = origin_at(self.use_case, self.as_of_at)
        run = Run(new_run_id(), "retrain", self.use_case, [origin])
        series_id, version = str(row["series_id"]), str(row["model_version"])
        if tunable(family) is not None:
            recipe = (orjson.loads(row["hyperparameters"]).get("recipe") or {}).get("options", {})
            chosen = recipe_row(run, family, origin, series_id, row["segment"] or WHOLE, recipe)
            self.warehouse.append("model_log", pd.DataFrame([chosen]), run.job_id("model_log"))
        decision = "promoted" if actor == "promote" else "rolled_back"
        numbers = {"decision": decision, "served_before": before, "rules": ["by_hand"]}
        common = {
            "run_id": run.run_id,
            "use_case": self.use_case.name,
            "series_id": series_id,
            "model_name": family.name,
            "reason": decision,
            "numbers": to_json(numbers),
            "actor": actor,
            "as_of_at": self.as_of_at,
            "logged_at": datetime.now(UTC),
        }
        rows = [{**common, "model_version": version, "stage": "serving"}]
        if before is not None and before != version:
            stage = "candidate" if actor == "promote" else "retired"
            rows.append({**common, "model_version": before, "stage": stage})
        self.warehouse.append("model_events", pd.DataFrame(rows), run.job_id("model_events"))

    def _message(self, series_id: str, version: str, before: str | None, actor: str) -> str:
        what = "promoted" if actor == "promote" else "rolled back"
        message = f"{series_id}: {what}: {version} serves, in place of {before or 'none'}."
        if self.use_case.refit == "every_run":
            message += (
                " With refit: every_run the next run fits the series anew, with this version's "
                "recipe, and that model then serves."
            )
        return message
