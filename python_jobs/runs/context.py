"""The context of a run: settings, dbt, warehouse, store, and its caller's options."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from python_jobs.infra.dbt_runner import Dbt
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.logs import about
from python_jobs.infra.run import Run, RunKind, Selection, Shard, check_run_id, new_run_id
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import (
    Connection,
    Settings,
    UseCase,
    connection,
    load_settings,
    project_dir,
)
from python_jobs.infra.store import ModelStore, open_store
from python_jobs.infra.warehouse import Warehouse

Progress = Callable[[str, int, int], None]
"""Called with the name of the step, the number done and the total."""


def no_progress(what: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that its caller chooses.

    Attributes:
        selection: the series; a run of some of them is marked partial and hides no others' newest
            forecast. None: those that the settings include.
        run_id: of a run to go on with, after a crash or in another container; else a new one.
        take_over: take the lease although a run that crashed holds it.
        shard: the part of the series that this task has.
    """

    selection: Selection | None = None
    run_id: str | None = None
    take_over: bool = False
    shard: Shard = field(default_factory=Shard)

    def __post_init__(self) -> None:
        """Refuse a run id that no job id can hold.

        Raises:
            SettingsError: the run id has other characters than letters, digits, _ and -.
        """
        if self.run_id is not None:
            check_run_id(self.run_id)


@dataclass(frozen=True)
class RunContext:
    """Everything that a run works with: settings, dbt, warehouse, store.

    Attributes:
        project: the dbt project's folder.
        connection: where warehouse and store are.
        settings: every use case.
        use_case: the one at work.
        n_jobs: processes for local families; -1 is one a core.
        progress: called with the progress of each step.
    """

    project: Path
    connection: Connection
    settings: Settings
    use_case: UseCase
    n_jobs: int = -1
    progress: Progress = no_progress

    @cached_property
    def dbt(self) -> Dbt:
        """dbt over this project."""
        return Dbt(self.project, self.connection, self.settings, self.use_case.name)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse; table names come from the manifest."""
        return Warehouse(self.connection, self.dbt.names())

    @cached_property
    def store(self) -> ModelStore:
        """The model store.

        Raises:
            SettingsError: SHELFCAST_MODELS_URI is not set.
        """
        if self.connection.models_uri is None:
            raise SettingsError(
                "SHELFCAST_MODELS_URI is not set. Name the model store: "
                "gs://bucket/prefix, or a folder."
            )
        return open_store(
            self.connection.models_uri, self.connection.project, self.connection.keyfile
        )

    def show(self, what: str) -> Callable[[int, int], None]:
        """A progress callback for one thing."""
        return lambda done, total: self.progress(what, done, total)

    def new_run(
        self,
        kind: RunKind,
        origins: list[Origin],
        options: RunOptions,
        *,
        is_as_issued: bool = False,
        recorded_id: str | None = None,
    ) -> Run:
        """Describe a run of this use case; its id is new unless the options or the log give one."""
        return Run(
            run_id=recorded_id or options.run_id or new_run_id(),
            kind=kind,
            use_case=self.use_case,
            origins=origins,
            is_as_issued=is_as_issued,
            selection=options.selection
            or Selection(self.use_case.include, self.use_case.include_table),
            shard=options.shard,
            settings_digest=self.settings.digest,
        )


def open_context(
    use_case: str | None = None, *, n_jobs: int = -1, progress: Progress = no_progress
) -> RunContext:
    """Open the workplace that environment and settings describe.

    Args:
        use_case: its name; may be left out where there is only one.
        n_jobs: processes for local families.
        progress: called with the progress of each step.

    Raises:
        SettingsError: the settings are wrong (all faults named).
    """
    project = project_dir()
    settings = load_settings(project)
    chosen = settings.use_case(use_case)
    about(use_case=chosen.name)
    return RunContext(project, connection(), settings, chosen, n_jobs=n_jobs, progress=progress)


def environment_selection(environment: dict[str, str] | None = None) -> Selection | None:
    """The selection that SHELFCAST_SERIES and SHELFCAST_SERIES_TABLE ask for, if they do."""
    given = os.environ if environment is None else environment
    patterns, table = given.get("SHELFCAST_SERIES", ""), given.get("SHELFCAST_SERIES_TABLE", "")
    return Selection(patterns, table) if patterns or table else None
