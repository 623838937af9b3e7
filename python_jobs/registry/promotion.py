"""Serving versions, and the public copies that follow a promotion.

What serves is decided by events; the copy at the path that people know follows, and only if nobody
else has replaced it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import pandas as pd

from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.settings import UseCase
from python_jobs.infra.store import AlreadyThere, ModelStore, sha256_of
from python_jobs.infra.warehouse import Warehouse

SERVING = """
with states as (
    select series_id, model_version, stage, as_of_at, logged_at
    from {model_events}
    where use_case = @use_case and model_name = @model_name and as_of_at <= @as_of_at
        and series_id in unnest(@series)
    qualify row_number() over (
        partition by series_id, model_version order by as_of_at desc, logged_at desc
    ) = 1
)
select series_id, model_version
from states
where stage = 'serving'
qualify row_number() over (partition by series_id order by as_of_at desc, logged_at desc) = 1
"""

SERVES_LATER = """
select distinct series_id
from {model_events}
where use_case = @use_case and model_name = @model_name and stage = 'serving'
    and as_of_at > @as_of_at and series_id in unnest(@series)
"""


class PromotionLost(ShelfcastError):
    """Somebody else replaced a series' public copy first."""


def serving_versions(
    warehouse: Warehouse,
    use_case: UseCase,
    model_name: str,
    series: Sequence[str],
    as_of_at: datetime,
) -> dict[str, str]:
    """The version that serves each of some series as of an instant, by series_id."""
    found = _read(warehouse, SERVING, use_case, model_name, series, as_of_at)
    return dict(zip(found["series_id"], found["model_version"], strict=True))


def served_later(
    warehouse: Warehouse,
    use_case: UseCase,
    model_name: str,
    series: Sequence[str],
    as_of_at: datetime,
) -> set[str]:
    """Series already served by a model of a later instant; their public copy stays."""
    return set(_read(warehouse, SERVES_LATER, use_case, model_name, series, as_of_at)["series_id"])


def _read(
    warehouse: Warehouse,
    statement: str,
    use_case: UseCase,
    model_name: str,
    series: Sequence[str],
    as_of_at: datetime,
) -> pd.DataFrame:
    return warehouse.read(
        statement,
        use_case=use_case.name,
        model_name=model_name,
        series=list(series),
        as_of_at=as_of_at,
    )


def generations(store: ModelStore, paths: Iterable[str]) -> dict[str, int]:
    """The generation of each object now; 0 where there is none."""
    there = {path: store.stat(path) for path in paths}
    return {path: one.generation if one else 0 for path, one in there.items()}


def replace_copy(store: ModelStore, path: str, data: bytes, seen: int) -> None:
    """Put a model at the path that people know, if that is still as it was seen.

    Args:
        store: where the copies are.
        path: of the copy.
        data: the model.
        seen: the generation that the decision was made on; 0: there was none.

    Raises:
        PromotionLost: somebody else has replaced the copy since; theirs stays.
    """
    if _is_there(store, path, data):
        return
    try:
        store.put(path, data, generation=seen)
    except AlreadyThere as error:
        if _is_there(store, path, data):  # our own write, whose answer was lost
            return
        raise PromotionLost(
            f"{path} was replaced by somebody else meanwhile; theirs stays. See "
            "`shelfcast models show`, and start again."
        ) from error


def _is_there(store: ModelStore, path: str, data: bytes) -> bool:
    there = store.stat(path)
    return there is not None and there.sha256 == sha256_of(data)
