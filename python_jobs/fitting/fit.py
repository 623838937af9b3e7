"""Fit families as of a run's origins with what earlier runs learned; no model is written.

Training, and whatever else fits a past origin as training would have, goes through here: the same
panel, the recipes in force then, and the priors of this run or those in force then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, cast

import orjson
import pandas as pd

from python_jobs.families import make_family
from python_jobs.families.base import Family, Fitted, TunableFamily, Tuned
from python_jobs.fitting.pool import OnProgress, fit_local
from python_jobs.fitting.windows import windows_for, with_windows
from python_jobs.infra.logs import Event, log, warn
from python_jobs.infra.run import Run, of_model
from python_jobs.infra.schedule import Origin
from python_jobs.infra.scope import is_whole_portfolio, series_in_scope
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Value, Warehouse

PANEL = """
select panel.series_id, panel.ds, panel.y, panel.y_lag1, {columns} panel.left_out_reason
from {panel} as panel
inner join {series} as series
    on panel.series_id = series.series_id and panel.origin_date = series.origin_date
where panel.origin_date = @origin_date and series.is_forecastable and {scope}
order by panel.series_id, panel.ds{horizon_step}
"""

RECIPES = """
select segment, series_id, options, run_id
from {recipes}
where use_case = @use_case and model_name = @model_name and origin_date = @origin_date
"""

CLASSES = """
select series_id, demand_class
from {series}
where origin_date = @origin_date and {scope}
"""

OWN_PRIORS = """
select recipe, coefficient, centre, spread, n_series, run_id, origin_date as priors_origin_date
from {portfolio_priors}
where use_case = @use_case and model_name = @model_name and run_id = @run_id
    and origin_date = @origin_date
order by recipe, coefficient
"""

PRIORS_IN_FORCE = """
select recipe, coefficient, centre, spread, n_series, run_id, priors_origin_date
from {priors_in_force}
where use_case = @use_case and model_name = @model_name and origin_date = @origin_date
order by recipe, coefficient
"""

WHOLE = "all"
"""The segment of every series that has no other."""

PriorSource = Literal["none", "run", "in_force"]
"""Where priors come from: nowhere, this very run, or the newest run that each origin knew."""


def tunable(family: Family[Any]) -> TunableFamily[Any] | None:
    """The family as one whose recipes are chosen, where it is one."""
    return cast(TunableFamily[Any], family) if hasattr(family, "candidates") else None


def is_pooled(family: Family[Any]) -> bool:
    """Whether a family's fit reads priors."""
    able = tunable(family)
    return able is not None and able.is_pooled


def families_of(use_case: UseCase) -> list[Family[Any]]:
    """The use case's families, the champion first."""
    return [make_family(name, use_case.family_settings(name)) for name in use_case.families]


def has_pooled_family(use_case: UseCase) -> bool:
    """Whether the fit of one of the use case's families reads priors."""
    return any(is_pooled(family) for family in families_of(use_case))


def makes_priors(run: Run) -> bool:
    """Whether a task makes the portfolio's priors by itself: it fits all series, and a family
    pools them."""
    return has_pooled_family(run.use_case) and is_whole_portfolio(run) and run.shard.count == 1


def prior_source(run: Run) -> PriorSource:
    """Source of the priors of a run in one task.

    A run of some series, or one shard of many, cannot make the portfolio's priors: it shares those
    in force.
    """
    if not has_pooled_family(run.use_case):
        return "none"
    if makes_priors(run):
        return "run"
    log(
        Event.PRIORS_IN_FORCE,
        f"{run.use_case.name}: {'some series' if run.shard.count == 1 else 'one shard of many'} "
        "only, so the newest priors in force are used (`shelfcast train --step` makes new ones "
        "from shards).",
        run_id=run.run_id,
    )
    return "in_force"


@dataclass(frozen=True)
class Learned:
    """Recipes and priors for a fit of one family as of one origin, and the runs they come from.

    Attributes:
        tuned: as the family takes it.
        classes: demand class by series_id, of every series with a recipe.
        tunes: run_id of the tune by segment of `tuned`.
        pools: run_id and origin of the priors, by recipe.
    """

    tuned: Tuned
    classes: dict[str, str] = field(default_factory=dict)
    tunes: dict[str, str] = field(default_factory=dict)
    pools: dict[str, tuple[str, date]] = field(default_factory=dict)

    def segment(self, series_id: str) -> str | None:
        """The segment whose recipe a series was fitted with; None where it has none."""
        return self.classes.get(series_id)

    def provenance(self, series_id: str, label: str | None) -> dict[str, Any]:
        """Recipe and priors of the model for its row in model_log.

        Args:
            series_id: of the model.
            label: the family's name for its recipe; None where it gave no coefficients.
        """
        key = self.tuned.segments.get(series_id)
        pool = self.pools.get(label) if label is not None else None
        recipe = key and {"run_id": self.tunes[key], "options": self.tuned.recipes[key]}
        return {
            "priors": pool and {"run_id": pool[0], "origin_date": pool[1]},
            "recipe": recipe or None,
            "segment": self.segment(series_id),
        }


@dataclass(frozen=True)
class OriginFit:
    """One family fitted as of one origin.

    Attributes:
        origin: the origin.
        family: the family.
        fitted: models, failures and coefficients.
        panel: what it was fitted on, as `read_panel` returns it.
        learned: what the fit used; None for a family that is not tuned.
    """

    origin: Origin
    family: Family[Any]
    fitted: Fitted[Any]
    panel: pd.DataFrame
    learned: Learned | None

    def provenance(self) -> dict[str, dict[str, Any]]:
        """By series_id of a fitted model, what it owes to tuning and pooling."""
        if self.learned is None:
            return {}
        labels = recipe_labels(self.fitted)
        return {
            series_id: self.learned.provenance(series_id, labels.get(series_id))
            for series_id in self.fitted.models
        }


def recipe_labels(fitted: Fitted[Any]) -> dict[str, str]:
    """By series_id, the family's name for the recipe that it was fitted with."""
    if fitted.coefficients is None:
        return {}
    first = fitted.coefficients.drop_duplicates("series_id")
    return dict(zip(first["series_id"], first["recipe"], strict=True))


def fit_origins(
    warehouse: Warehouse,
    run: Run,
    n_jobs: int,
    on_progress: OnProgress,
    priors: PriorSource,
    families: Sequence[Family[Any]] | None = None,
) -> Iterator[OriginFit]:
    """Fit families as of each origin of a run, one after the other.

    Args:
        warehouse: holds the panels of the run's origins, recipes and priors.
        run: use case, origins, selection and shard.
        n_jobs: processes for a local family.
        on_progress: called with series done and their number, for each family and origin.
        priors: where the priors of pooled families come from.
        families: those to fit; default: the use case's.

    Yields:
        Origin by origin, each family's fit; what was yielded before may be thrown away.
    """
    chosen = families_of(run.use_case) if families is None else families
    _warn_of_unused_features(run, chosen)
    for origin in run.origins:
        panel = read_panel(warehouse, run, origin)
        for family in chosen:
            learned = None
            with of_model(family.name):
                if tunable(family) is not None:
                    source = priors if is_pooled(family) else "none"
                    learned = read_learned(warehouse, run, origin, family.name, source)
                tuned = learned.tuned if learned else None
                rows = rows_for(family, panel)
                fitted = fit(family, rows, n_jobs, on_progress, tuned)
            yield OriginFit(origin, family, fitted, rows, learned)


def _warn_of_unused_features(run: Run, families: Sequence[Family[Any]]) -> None:
    features = run.use_case.features.names
    for family in families:
        if features and not getattr(family, "uses_features", True):
            warn(
                Event.FEATURES_UNUSED,
                f"{run.use_case.name}: {family.name} reads no features, so it does without "
                f"{', '.join(features)}.",
                run_id=run.run_id,
                model_name=family.name,
            )


def read_panel(
    warehouse: Warehouse, run: Run, origin: Origin, series: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read the training panel of the forecastable series in scope as of one origin.

    Args:
        warehouse: holds the panel.
        run: use case, selection and shard.
        origin: one of the run's.
        series: only these.

    Returns:
        One row per series_id and ds, and horizon_step where the training grain is it, sorted by
        them: y, y_lag1, horizon_step, the regressors, the features, left_out_reason; and y_context
        where a family reads windows.
    """
    use_case = run.use_case
    condition, parameters = series_in_scope(run, "panel.series_id", series)
    is_by_step = use_case.training_grain == "horizon_step"
    columns = ("horizon_step", *use_case.panel_columns) if is_by_step else use_case.panel_columns
    statement = (
        PANEL.replace("{columns}", "".join(f"panel.{name}, " for name in columns))
        .replace("{horizon_step}", ", panel.horizon_step" if is_by_step else "")
        .replace("{panel}", f"{{{use_case.name}_training_panel}}")
        .replace("{series}", f"{{{use_case.name}_series}}")
        .replace("{scope}", condition)
    )
    rows = warehouse.read(statement, origin_date=origin.origin_date, **parameters)
    return with_windows(
        warehouse, run, rows, pd.Series([origin.origin_date] * len(rows), rows.index), series
    )


def fit(
    family: Family[Any],
    panel: pd.DataFrame,
    n_jobs: int,
    on_progress: OnProgress,
    tuned: Tuned | None = None,
) -> Fitted[Any]:
    """Fit a family on the rows of a panel that may be trained on; an empty panel gives nothing."""
    if panel.empty:
        return Fitted({})
    rows = usable_rows(rows_for(family, panel))
    if family.scope == "global":
        return family.fit(rows, tuned=tuned)
    fitted = fit_local(family, rows, n_jobs, on_progress, tuned)
    empty = sorted(set(panel["series_id"]) - set(rows["series_id"]))
    failures = {
        **fitted.failures,
        **dict.fromkeys(empty, "no row of its history may be trained on"),
    }
    return Fitted(fitted.models, failures, fitted.coefficients)


def rows_for(family: Family[Any], panel: pd.DataFrame) -> pd.DataFrame:
    """The rows of a panel that a family is given: all of a direct one's, else those of step 1;
    with y_context where it reads windows."""
    panel = windows_for(family, panel)
    if "horizon_step" not in panel or getattr(family, "is_direct", False):
        return panel
    rows = panel[panel["horizon_step"] == 1]
    return rows.drop(columns="horizon_step").reset_index(drop=True)


def usable_rows(panel: pd.DataFrame) -> pd.DataFrame:
    """Keep what a family may be trained on: it judges itself whether it can do without a lag."""
    usable = panel["left_out_reason"].isna() | (panel["left_out_reason"] == "no_y_lag1")
    rows = panel if usable.all() else panel.loc[usable]  # a copy is a gigabyte at 100,000 series
    return rows.drop(columns="left_out_reason").reset_index(drop=True)


def read_learned(
    warehouse: Warehouse, run: Run, origin: Origin, model_name: str, priors: PriorSource
) -> Learned:
    """Read what a fit of a tunable family as of one origin may use."""
    named: dict[str, Value] = {
        "use_case": run.use_case.name,
        "model_name": model_name,
        "origin_date": origin.origin_date,
    }
    recipes = warehouse.read(RECIPES, **named)
    learned = Learned(Tuned())
    if not recipes.empty:
        condition, parameters = series_in_scope(run)
        statement = CLASSES.replace("{series}", f"{{{run.use_case.name}_series}}")
        classes = warehouse.read(
            statement.replace("{scope}", condition), origin_date=origin.origin_date, **parameters
        )
        of_series = dict(zip(classes["series_id"], classes["demand_class"], strict=True))
        learned = assign_recipes(recipes, of_series)
    if priors == "none":
        return learned
    found = read_priors(warehouse, run, origin, model_name, priors)
    if found.empty and priors == "in_force":
        log(
            Event.PRIORS_IN_FORCE,
            f"{run.use_case.name}: {model_name} knew no priors as of {origin.origin_date}, so each "
            "series is fitted by itself. A training of all series in one task makes them, or "
            "`shelfcast train --step` from shards.",
            run_id=run.run_id,
        )
    return _with_priors(learned, found)


def read_priors(
    warehouse: Warehouse, run: Run, origin: Origin, model_name: str, source: PriorSource
) -> pd.DataFrame:
    """Read the priors of a family as of one origin: this run's own, or those in force then.

    Returns:
        One row per recipe and coefficient: centre, spread, n_series, run_id, priors_origin_date.
    """
    named: dict[str, Value] = {
        "use_case": run.use_case.name,
        "model_name": model_name,
        "origin_date": origin.origin_date,
    }
    if source == "run":
        return warehouse.read(OWN_PRIORS, run_id=run.run_id, **named)
    return warehouse.read(PRIORS_IN_FORCE, **named)


def assign_recipes(recipes: pd.DataFrame, demand_class: dict[str, str]) -> Learned:
    """Give each series its own recipe, else its demand class's, else the portfolio's, else none.

    Args:
        recipes: one row per segment, series_id (null for a segment): options (JSON), run_id.
        demand_class: by series_id.
    """
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for row in recipes.itertuples():
        is_own = isinstance(row.series_id, str)
        key = _own_segment(row.series_id) if is_own else str(row.segment)
        found[key] = (orjson.loads(str(row.options)), str(row.run_id))
    segments: dict[str, str] = {}
    for series_id, one_class in demand_class.items():
        keys = (_own_segment(series_id), one_class, WHOLE)
        best = next((key for key in keys if key in found), None)
        if best is not None:
            segments[series_id] = best
    used = set(segments.values())
    return Learned(
        Tuned({key: found[key][0] for key in sorted(used)}, segments),
        {
            series_id: demand_class[series_id] if key.startswith("series/") else key
            for series_id, key in segments.items()
        },
        {key: found[key][1] for key in used},
    )


def _own_segment(series_id: str) -> str:
    """A series' own segment; no demand class has a slash."""
    return f"series/{series_id}"


def _with_priors(learned: Learned, rows: pd.DataFrame) -> Learned:
    first = rows.drop_duplicates("recipe")
    pools = {
        str(row.recipe): (str(row.run_id), row.priors_origin_date.date())
        for row in first.itertuples()
    }
    columns = ["recipe", "coefficient", "centre", "spread", "n_series"]
    priors = rows[columns] if len(rows) else None
    tuned = Tuned(learned.tuned.recipes, learned.tuned.segments, priors)
    return Learned(tuned, learned.classes, learned.tunes, pools)
