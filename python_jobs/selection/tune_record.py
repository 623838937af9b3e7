"""The rows of model_log that record a tune: every candidate with its scores, and the choices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pandas as pd

from python_jobs.families.base import Family, TunableFamily
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin
from python_jobs.infra.scope import is_whole_portfolio
from python_jobs.infra.settings import code_version
from python_jobs.selection.choosing import Choices


def recipe_rows(
    run: Run, family: TunableFamily[Any], choices: Choices, series: pd.DataFrame
) -> list[dict[str, Any]]:
    """List the candidates of each segment (and series) with their scores, then the choices.

    A tune of some series leaves the segments of the others alone: it chooses for its own.

    Args:
        run: of kind tune.
        family: with candidates.
        choices: of the family.
        series: those tuned on: series_id, segment.

    Returns:
        Rows of model_log.
    """
    segment_of = dict(zip(series["series_id"], series["segment"], strict=True))
    return [
        *_candidate_rows(run, family, choices, segment_of),
        *_chosen_rows(run, family, choices, segment_of),
    ]


def to_json(value: Mapping[str, Any]) -> str:
    """Write JSON with its keys in order, so that equal values are equal texts."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()


def _candidate_rows(
    run: Run, family: TunableFamily[Any], choices: Choices, segment_of: Mapping[str, str]
) -> list[dict[str, Any]]:
    groups = [
        *(
            (segment, None, one, choices.by_segment[segment])
            for segment, one in choices.scores.items()
        ),
        *(
            (segment_of[name], name, one, choices.by_series[name])
            for name, one in choices.series_scores.items()
        ),
    ]
    rows = []
    for segment, series_id, scores, chosen in groups:
        for number, options in enumerate(family.candidates()):
            metrics = {**scores.metrics(number), "is_chosen": number == chosen}
            rows.append(
                recipe_row(run, family, run.origins[-1], series_id, segment, options, "candidate")
                | {"metrics": to_json(metrics)}
            )
    return rows


def _chosen_rows(
    run: Run, family: TunableFamily[Any], choices: Choices, segment_of: Mapping[str, str]
) -> list[dict[str, Any]]:
    in_force: list[tuple[str, str | None, int]] = [
        (segment_of[name], name, one) for name, one in choices.by_series.items()
    ]
    if is_whole_portfolio(run):
        in_force += [(segment, None, one) for segment, one in choices.by_segment.items()]
    options = family.candidates()
    return [
        recipe_row(run, family, run.origins[-1], series_id, segment, options[number])
        for segment, series_id, number in in_force
    ]


def recipe_row(
    run: Run,
    family: Family[Any],
    origin: Origin,
    series_id: str | None,
    segment: str,
    recipe: Mapping[str, Any],
    status: str = "chosen",
) -> dict[str, Any]:
    """A row of model_log about a recipe; `chosen` puts it in force."""
    return {
        "run_id": run.run_id,
        "shard": run.shard.index,
        "use_case": run.use_case.name,
        "series_id": series_id,
        "segment": segment,
        "model_name": family.name,
        "origin_date": origin.origin_date,
        "as_of_at": origin.as_of_at,
        "trained_at": datetime.now(UTC),
        "hyperparameters": to_json(recipe),
        "status": status,
        "code_version": code_version(),
    }
