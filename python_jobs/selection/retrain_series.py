"""Choose the series of a retraining and its origins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from python_jobs.infra.errors import RunStopped, SettingsError, first_few
from python_jobs.infra.run import Run, Selection
from python_jobs.infra.schedule import (
    Origin,
    days_between_origins,
    origins_per_horizon,
    validation_origins,
)
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.series import pattern_to_regex, split_patterns
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Warehouse

TUNING_ORIGINS = 3
"""Before the first origin of the comparison; as many as `shelfcast tune` looks at."""

CANDIDATES = """
select series_id, rule, detail, sum_abs_error, is_due
from {retraining_candidates}
where use_case = @use_case
order by series_id, rule
"""

COOLING_DOWN = """
select distinct series_id
from {model_events}
where use_case = @use_case and actor = 'retrain' and reason != 'refused' and run_id != @run_id
    and as_of_at > @since and as_of_at <= @as_of_at
"""

KEYS = "select series_id from {keys} where {scope} order by series_id"

STATES = """
select series_id, demand_class, is_forecastable, reason
from {series}
where origin_date = @origin_date and {scope}
"""


@dataclass(frozen=True)
class RetrainOrigins:
    """The origins of a retraining: tuning, comparison and current.

    Attributes:
        tuning: all their target periods are over at the first origin of the comparison.
        comparison: a horizon apart; neither recipe has seen a target period of theirs.
        current: the models are fitted as of it.
    """

    tuning: list[Origin]
    comparison: list[Origin]
    current: Origin

    @property
    def all(self) -> list[Origin]:
        """Oldest first."""
        return [*self.tuning, *self.comparison, self.current]


def retrain_origins(
    use_case: UseCase, current: Origin, *, compare: bool, tune: bool
) -> RetrainOrigins:
    """The origins of a retraining as of one.

    One more is compared than min_periods takes, because some periods are sold out or not observed.

    Args:
        use_case: its schedule, horizon and rules.
        current: what the models are fitted as of.
        compare: whether anything is; a plain refit needs no other origin.
        tune: whether there is a challenger to look for.
    """
    if not compare:
        return RetrainOrigins([], [], current)
    settings, every = use_case.retraining, origins_per_horizon(use_case)
    days_each = every * days_between_origins(use_case)
    n_origins = max(
        settings.origins, math.ceil(settings.min_periods * use_case.period_days / days_each) + 1
    )
    comparison = validation_origins(use_case, current, n_origins, every)
    n_tuning = TUNING_ORIGINS if tune else 0
    tuning = validation_origins(use_case, comparison[0], n_tuning, every)
    return RetrainOrigins(tuning, comparison, current)


@dataclass(frozen=True)
class Why:
    """Why a series is retrained.

    Attributes:
        rules: of retraining_candidates that fired; by_hand where somebody named the series.
        details: a sentence for each rule that has one.
    """

    rules: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)


@dataclass
class Chosen:
    """The series of a retraining.

    Attributes:
        classes: demand class by series_id, of those that are retrained.
        why: by series_id, of those that are left out too.
        left_out: by series_id of those that cannot be, the reason.
        n_over: candidates that the cap leaves to the next run.
    """

    classes: dict[str, str] = field(default_factory=dict)
    why: dict[str, Why] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    n_over: int = 0


@dataclass(frozen=True)
class Candidates:
    """Retraining candidates of the newest monitoring run.

    Attributes:
        why: by series_id.
        due: those that are not cooling down, the worst by sum_abs_error first.
    """

    why: dict[str, Why]
    due: list[str]


def read_candidates(warehouse: Warehouse, run: Run, *, needed: bool) -> Candidates:
    """Read which series the policy would retrain, and why.

    A series that was retrained since monitoring last looked is cooling down as well.

    Raises:
        RunStopped: they are needed, and nothing was ever monitored.
    """
    name = "retraining_candidates"
    if name not in warehouse.names or not warehouse.exists(name):
        if needed:
            raise RunStopped(
                f"{run.use_case.name}: nothing was monitored here, so no series is a candidate. "
                "Run `shelfcast monitor` first, or name the series with --series."
            )
        return Candidates({}, [])
    rows = warehouse.read(CANDIDATES, use_case=run.use_case.name)
    now = run.origins[-1].as_of_at
    resting = warehouse.read(
        COOLING_DOWN,
        use_case=run.use_case.name,
        run_id=run.run_id,
        since=now - run.use_case.periods(run.use_case.retraining.cool_down_periods),
        as_of_at=now,
    )
    due = rows[rows["is_due"].astype(bool) & ~rows["series_id"].isin(resting["series_id"])]
    worst = due.groupby("series_id")["sum_abs_error"].max().fillna(0.0)
    why = {
        str(series_id): Why(those["rule"].tolist(), those["detail"].dropna().tolist())
        for series_id, those in rows.groupby("series_id")
    }
    return Candidates(why, worst.sort_values(ascending=False, kind="stable").index.tolist())


def series_asked_for(warehouse: Warehouse, run: Run) -> list[str]:
    """The known series that a run's selection names, sorted.

    Raises:
        SettingsError: a pattern matches none (each such one named).
    """
    condition, parameters = series_in_scope(run)
    statement = KEYS.replace("{keys}", f"{{{run.use_case.name}_keys}}")
    found = warehouse.read(statement.replace("{scope}", condition), **parameters)
    patterns = split_patterns(run.selection.patterns)
    empty = [
        one
        for one in patterns
        if not found["series_id"].str.match(pattern_to_regex(one.replace(",", "\\,"))).any()
    ]
    if empty:
        raise SettingsError(
            f"retrain: {len(empty)} of {len(patterns)} patterns match no series of "
            f"{run.use_case.name}: {first_few([repr(one) for one in empty])}. A series_id is "
            f"{'|'.join(run.use_case.key)}; `shelfcast models list` shows those that have models."
        )
    return [str(name) for name in found["series_id"]]


def choose_series(
    warehouse: Warehouse, run: Run, candidates: Candidates, *, only_candidates: bool
) -> Chosen:
    """Settle which series are retrained, and why each of the others is not.

    Args:
        warehouse: holds the series of the run's origins.
        run: its selection is what was asked for.
        candidates: what monitoring says.
        only_candidates: of those asked for, the candidates that are due.

    Raises:
        SettingsError: a pattern matches no series, or more were named than one run retrains.
    """
    asked, limit = series_asked_for(warehouse, run), run.use_case.retraining.max_series
    if only_candidates:
        known = set(asked)
        names = [name for name in candidates.due if name in known]
    else:
        names = asked
    states = _states(warehouse, run, names)
    chosen = Chosen(left_out={name: _why_not(states.get(name)) for name in names})
    able = [name for name in names if not chosen.left_out[name]]
    chosen.left_out = {name: reason for name, reason in chosen.left_out.items() if reason}
    if len(able) > limit and not only_candidates:
        raise SettingsError(
            f"retrain: {len(able)} series were named, and one run retrains at most {limit} "
            "(retraining.max_series). Narrow --series, raise the setting, or take --candidates, "
            "which begins with the largest errors."
        )
    chosen.n_over = max(0, len(able) - limit)
    chosen.classes = {name: str(states[name]["demand_class"]) for name in able[:limit]}
    for name in (*chosen.classes, *chosen.left_out):
        known_why = candidates.why.get(name, Why())
        rules = known_why.rules if only_candidates else ["by_hand", *known_why.rules]
        chosen.why[name] = Why(rules, known_why.details)
    return chosen


def _states(warehouse: Warehouse, run: Run, names: list[str]) -> dict[str, dict[str, Any]]:
    condition, parameters = series_in_scope(replace(run, selection=Selection()), series=names)
    statement = STATES.replace("{series}", f"{{{run.use_case.name}_series}}")
    found = warehouse.read(
        statement.replace("{scope}", condition),
        origin_date=run.origins[-1].origin_date,
        **parameters,
    )
    return {row["series_id"]: row for row in found.to_dict("records")}


def _why_not(state: dict[str, Any] | None) -> str:
    """Why a series cannot be forecast now; empty where it can."""
    if state is None:
        return "not known at this origin"
    return "" if state["is_forecastable"] else str(state["reason"])


def left_out_of(chosen: Chosen) -> str:
    """Sentence with the first few left-out series and their reasons."""
    names = [f"{name} ({reason})" for name, reason in sorted(chosen.left_out.items())]
    return f"{len(names)} series cannot be forecast now and are left out: {first_few(names)}."
