"""`shelfcast what-if`: the newest issued forecasts, were a scenario so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from python_jobs.data.sources import require_regressors
from python_jobs.infra.errors import RunStopped, SettingsError, ShelfcastError, first_few
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run, step
from python_jobs.infra.schedule import origin_at
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.prediction.scenarios import Question, answer, ask, read_panel, record
from python_jobs.runs.context import RunContext, RunOptions

KNOWN = """
select scenario, count(*) as n
from {scenarios}
group by scenario
order by scenario
"""

WEATHER_AS_IT_CAME = "weather_as_it_came"
"""The scenario of `predict_with_observed_weather`; SQL names it in the macro of that name."""


@dataclass(frozen=True)
class WhatIf:
    """A scenario and its answer.

    Attributes:
        rows: one row per series_id and target_date: yhat_as_issued, yhat, outside_range, reason, ….
        unused: rows of the scenario that concern no forecast, with rejected_because.
    """

    rows: pd.DataFrame
    unused: pd.DataFrame

    @property
    def by_period(self) -> pd.DataFrame:
        """One row per target_date: n_series, as_issued, supposed, uplift (units), uplift_share."""
        both = self.rows[self.rows["yhat"].notna()]
        sums = both.groupby("target_date").agg(
            n_series=("series_id", "nunique"),
            as_issued=("yhat_as_issued", "sum"),
            supposed=("yhat", "sum"),
            n_outside_range=("outside_range", "count"),
        )
        sums.insert(3, "uplift", sums["supposed"] - sums["as_issued"])
        sums.insert(4, "uplift_share", sums["uplift"] / sums["as_issued"].where(lambda x: x != 0))
        return sums.reset_index()


def what_if(
    context: RunContext, scenario: str, options: RunOptions | None = None, *, dry_run: bool = False
) -> WhatIf:
    """Forecast the next periods again under a scenario, with the models that issued them.

    Args:
        context: the run's context.
        scenario: its name in the table of scenarios.
        options: series.
        dry_run: answer, and write nothing.

    Returns:
        The answer, which `scenario_forecasts` holds from then on.

    Raises:
        SettingsError: the use case has no regressors, or there is no scenario of that name (those
            that are known are named).
        RunStopped: no forecast was issued yet, or none is concerned by the scenario.
    """
    require_regressors(context.use_case)
    run = open_what_if(context, options or RunOptions())
    question = _ask(context, run, scenario)
    rows = answer(
        context.warehouse,
        context.store,
        run,
        question.panel,
        context.n_jobs,
        context.show("what-if"),
    )
    if not dry_run:
        record(context.warehouse, run, rows)
    found = WhatIf(rows, question.unused)
    _log_found(run, scenario, found)
    return found


def open_what_if(context: RunContext, options: RunOptions) -> Run:
    """Describe the run; its origin is that of today, whichever forecast it asks about."""
    return context.new_run("scenario", [origin_at(context.use_case, datetime.now(UTC))], options)


def _ask(context: RunContext, run: Run, scenario: str) -> Question:
    name = context.use_case.name
    try:
        question = ask(context.warehouse, run, scenario)
    except MissingRelation as error:
        raise RunStopped(
            f"{name}: no forecast was issued yet, so there is nothing to compare a scenario with "
            f"({error}). Run `shelfcast run` first."
        ) from error
    if question.panel.empty and question.unused.empty:
        _require_seen(context, scenario)
        known = context.warehouse.read(KNOWN.replace("{scenarios}", f"{{stg_{name}_scenarios}}"))
        there = first_few([f"{row.scenario} ({row.n} rows)" for row in known.itertuples()], 10)
        raise SettingsError(
            f"{name}: no scenario is named '{scenario}' (known: {there or 'none'}). Put its rows "
            f"into {context.warehouse.table(f'{name}_scenarios.rows')}, or "
            "`shelfcast load FILE --as scenarios`."
        )
    if question.panel.empty:
        raise RunStopped(
            f"{name}: scenario '{scenario}' concerns no forecast: {_reasons(question.unused)}. A "
            "row names a key (* for all) and a day of a forecast period; see docs/what-if.md."
        )
    return question


def _require_seen(context: RunContext, scenario: str) -> None:
    """Check that the table of scenarios exists, and that the last build has seen it.

    Raises:
        RunStopped: nobody has made the table, or it was made since.
    """
    name = context.use_case.name
    source = f"{name}_scenarios.rows"
    if not context.warehouse.exists(source):
        raise RunStopped(
            f"{context.warehouse.table(source)} does not exist, so there is no scenario to ask "
            "about. `shelfcast load FILE --as scenarios`, by an account that may write there, "
            "makes it."
        )
    statement = f"select count(*) as n from {{{source}}} where scenario = @scenario"
    if context.warehouse.read(statement, scenario=scenario)["n"].iloc[0]:
        raise RunStopped(
            f"{name}: scenario '{scenario}' was loaded into a table that was made after the last "
            f"build. Run `dbt run --select stg_{name}_scenarios+` (the next run or "
            "monitoring does it too), and ask again."
        )


def _reasons(unused: pd.DataFrame) -> str:
    counts = unused["rejected_because"].value_counts()
    texts = ", ".join(f"{n} {reason}" for reason, n in counts.items())
    return f"{texts} (first: {unused['source_row'].iloc[0]})"


def _log_found(run: Run, scenario: str, found: WhatIf) -> None:
    """One line a matter: rows that were not used, values no model knows, forecasts that stay."""
    outside = found.rows[found.rows["outside_range"].notna()]
    if len(found.unused):
        warn(
            Event.ROWS_REJECTED,
            f"scenario {scenario}: {len(found.unused)} rows are not used: "
            f"{_reasons(found.unused)}.",
            run_id=run.run_id,
        )
    if len(outside):
        first = outside.iloc[0]
        warn(
            Event.OUTSIDE_RANGE,
            f"scenario {scenario}: {len(outside)} of {len(found.rows)} forecasts rest on values "
            f"that their models were not trained on (first: {first['series_id']}, "
            f"{first['outside_range']}). They are extrapolated: take them with care.",
            run_id=run.run_id,
            n_rows=len(outside),
        )
    unmoved = found.rows[found.rows["reason"].notna()]
    if len(unmoved):
        names = sorted(unmoved["series_id"].unique())
        warn(
            Event.SERIES_FELL_BACK,
            f"scenario {scenario}: {len(names)} series have no model to ask ({first_few(names)}; "
            f"first: {unmoved['reason'].iloc[0]}).",
            run_id=run.run_id,
        )


def predict_with_observed_weather(context: RunContext, run: Run) -> int:
    """Make issued forecasts again with the weather that came, once all of their periods have it.

    An error is logged; only the comparison in `weather_value` is then missing.

    Returns:
        How many rows were made.
    """
    if not any(one.future == "weather" for one in context.use_case.regressors.values()):
        return 0
    name = f"{context.use_case.name}_observed_weather_panel"
    try:
        panel = read_panel(context.warehouse, run, name, WEATHER_AS_IT_CAME)
    except MissingRelation:
        return 0
    if panel.empty:
        return 0
    try:
        with step(context.warehouse, run, "observed_weather") as counts:
            rows = answer(
                context.warehouse,
                context.store,
                run,
                panel,
                context.n_jobs,
                context.show("weather"),
            )
            record(context.warehouse, run, rows)
            counts.n_in, counts.n_out = len(panel), int(rows["yhat"].notna().sum())
            counts.message = f"{counts.n_out} of {counts.n_in} forecasts with the weather that came"
    except ShelfcastError as error:
        warn(
            Event.MODELS_FAULTY,
            f"the forecasts with the weather that came were not made: {error} "
            "The next monitoring tries again.",
            run_id=run.run_id,
        )
        return 0
    return counts.n_out
