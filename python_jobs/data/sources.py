"""Check that source tables exist, hold rows and have the mapped columns.

dbt would fail on a missing column too, but in the words of a compiled view; this names the setting.
"""

from __future__ import annotations

from python_jobs.infra.errors import RunStopped, SettingsError, ShelfcastError
from python_jobs.infra.use_case import (
    AttributesSource,
    PromotionsSource,
    RegressorsSource,
    SalesSource,
    UseCase,
    WeatherSource,
)
from python_jobs.infra.warehouse import MissingRelation, Warehouse

Source = SalesSource | PromotionsSource | WeatherSource | RegressorsSource | AttributesSource
KINDS = ("sales", "promotions", "weather", "regressors", "attributes")


def check_sources(warehouse: Warehouse, use_case: UseCase) -> None:
    """Check every source table of a use case. Sales must hold rows; the others may be empty.

    Raises:
        RunStopped: tables are missing, sales are empty, or mapped columns do not exist; all of
            it at once, each with its setting.
    """
    faults = []
    for kind in KINDS:
        try:
            n_rows = examine_source(warehouse, use_case, kind)
            if kind == "sales":
                require_rows(warehouse, use_case, kind, n_rows)
        except ShelfcastError as error:
            faults.append(str(error))
    if faults:
        raise RunStopped(f"{use_case.name}: {' '.join(faults)}")


def examine_source(warehouse: Warehouse, use_case: UseCase, kind: str) -> int | None:
    """Look at one source table.

    Returns:
        How many rows it holds; None where the use case has no such source.

    Raises:
        ShelfcastError: it does not exist, or a mapped expression means nothing in it (each named).
    """
    source: Source | None = getattr(use_case.sources, kind)
    if source is None:
        return None
    name = f"{use_case.name}_{kind}.rows"
    table = table_of(warehouse, use_case, kind)
    try:
        counted = warehouse.read(f"select count(*) as n from {{{name}}}")
    except MissingRelation as error:
        raise ShelfcastError(
            f"{table} does not exist. `shelfcast load FILE --as {kind}` makes it, or name your "
            f"own table under {_setting(use_case, kind)}: table:."
        ) from error
    wrong = _meaningless(warehouse, name, source)
    if wrong:
        raise ShelfcastError(
            f"{table}: {len(wrong)} of the mapped columns are not in it "
            f"({', '.join(wrong)}). It has {', '.join(warehouse.columns(table) or {})}. "
            f"Map them under {_setting(use_case, kind)}: columns:."
        )
    return int(counted["n"].iloc[0])


def require_rows(warehouse: Warehouse, use_case: UseCase, kind: str, n_rows: int | None) -> None:
    """Refuse a source that is empty.

    Raises:
        ShelfcastError: it is.
    """
    if n_rows == 0:
        raise ShelfcastError(
            f"{table_of(warehouse, use_case, kind)} is empty. "
            f"`shelfcast load FILE --as {kind}` fills it."
        )


def require_regressors(use_case: UseCase) -> None:
    """Refuse scenarios of a use case without regressors, which has no models for them.

    Raises:
        SettingsError: it has none.
    """
    if not use_case.regressors:
        raise SettingsError(
            f"{use_case.name} has no regressors, so a scenario has nothing to suppose. Add one "
            f"under vars: use_cases: {use_case.name}: regressors:, and run `shelfcast use-case "
            f"check {use_case.name} --write`."
        )


def table_of(warehouse: Warehouse, use_case: UseCase, kind: str) -> str:
    """`project.dataset.table` of a source."""
    return warehouse.table(f"{use_case.name}_{kind}.rows")


def _meaningless(warehouse: Warehouse, name: str, source: Source) -> list[str]:
    """Mapped expressions that the table cannot evaluate, as `column <- expression`."""
    mapping = {**source.columns, **({"known_at": source.known_at} if source.known_at else {})}
    everything = ", ".join(f"({text}) as {column}" for column, text in mapping.items())
    if warehouse.is_valid(f"select {everything} from {{{name}}}"):
        return []
    return [
        f"{column} <- {text}"
        for column, text in mapping.items()
        if not warehouse.is_valid(f"select ({text}) as {column} from {{{name}}}")
    ]


def _setting(use_case: UseCase, kind: str) -> str:
    return f"vars: use_cases: {use_case.name}: sources: {kind}"
