"""Which series a task reads: the selection of its run and the shard of its task, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from python_jobs.infra.run import Run, Selection
from python_jobs.infra.warehouse import Value


def is_whole_portfolio(run: Run) -> bool:
    """Whether a run is for every series that the settings include."""
    return run.selection == Selection(run.use_case.include, run.use_case.include_table)


def series_in_scope(
    run: Run, column: str = "series_id", series: Sequence[str] | None = None
) -> tuple[str, dict[str, Value]]:
    """A condition over a series_id column, and its parameters.

    Args:
        run: whose selection and shard count.
        column: the series_id column, with its alias.
        series: only these of them.
    """
    shard = f"{shard_of(column, '@n_shards')} = @shard"
    conditions = [f"regexp_contains({column}, @series_pattern)", shard]
    if run.selection.table:
        conditions.append(f"{column} in (select series_id from {_included(run)})")
    parameters: dict[str, Value] = {
        "series_pattern": run.selection.regex,
        "n_shards": run.shard.count,
        "shard": run.shard.index,
    }
    if run.selection.names:
        conditions.append(f"{column} in unnest(@names)")
        parameters["names"] = list(run.selection.names)
    if series is not None:
        conditions.append(f"{column} in unnest(@series)")
        parameters["series"] = list(series)
    return " and ".join(conditions), parameters


def shard_of(column: str, n_shards: str) -> str:
    """The shard of a series_id, in SQL: from 0, of as many as the expression `n_shards` says."""
    return f"mod(mod(farm_fingerprint({column}), {n_shards}) + {n_shards}, {n_shards})"


def _included(run: Run) -> str:
    """The inclusion table's series: it holds the key's columns, as the sales table names them."""
    table = run.selection.table
    keys = run.use_case.key
    same = " and ".join(f"keys.{part} = included.{part}" for part in keys)
    return (
        f"(select keys.series_id from {{{run.use_case.name}_keys}} as keys "
        f"inner join `{table}` as included on {same})"
    )
