"""A deployment of its own for a test: dataset prefix, model store, settings, dbt target folder.

The warehouse and the store are the session's emulators; everything goes through the same settings,
environment variables and entry points as a real deployment.
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from google.cloud import storage

from python_jobs.infra.warehouse import Warehouse
from python_jobs.local.ports import Endpoints
from python_jobs.runs.context import RunContext, open_context
from python_jobs.runs.tables import ensure_tables

ROOT = Path(__file__).resolve().parents[2]
PROJECT_PARTS = ("models", "macros", "seeds", "tests/data")
PROJECT_FILES = ("dbt_project.yml", "selectors.yml", "profiles.example.yml")

NEED_NOT_SAY = {"promotions": ("kind", "covers_unit", "covers_channel")}
"""Columns of the settings' own mapping that a test's rows may leave out, by table."""


def project_vars() -> dict[str, Any]:
    """`vars:` of dbt_project.yml, fresh each time."""
    return yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]


@dataclass
class Site:
    """One deployment. `context()` opens it as the command line would.

    Attributes:
        folder: its files.
        endpoints: of the emulators.
        use_cases: `vars: use_cases:`, changed freely before the first `context()`.
        use_case: the one that `context()` opens.
        project: the dbt project, the repository's own unless a test copied it.
        profiles: the folder of profiles.yml, one for the session unless a test copied it.
    """

    folder: Path
    endpoints: Endpoints
    use_cases: dict[str, Any] = field(default_factory=lambda: project_vars()["use_cases"])
    use_case: str = "sku_weekly"
    project: Path = ROOT
    extra_vars: dict[str, Any] = field(default_factory=dict)
    dataset: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:10]}")
    models_uri: str = ""
    profiles: Path = field(init=False)

    def __post_init__(self) -> None:
        self.models_uri = self.models_uri or str(self.folder / "models")
        self.profiles = self.folder.parent / "profiles"
        if not self.profiles.is_dir():
            self.profiles.mkdir()
            shutil.copy(ROOT / "profiles.example.yml", self.profiles / "profiles.yml")

    def environment(self) -> dict[str, str]:
        """The environment variables of this deployment."""
        return {
            **self.endpoints.environment(),
            "SHELFCAST_TARGET": "local",
            "SHELFCAST_DATASET": self.dataset,
            "SHELFCAST_MODELS_URI": self.models_uri,
            "SHELFCAST_SETTINGS": str(self.write_settings()),
            "SHELFCAST_PROJECT_DIR": str(self.project),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_PROFILES_DIR": str(self.profiles),
        }

    def write_settings(self) -> Path:
        path = self.folder / "settings.yml"
        content = {"use_cases": self.use_cases, **self.extra_vars}
        path.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False))
        return path

    def copy_profiles(self) -> Path:
        """Give the deployment a profiles.yml of its own, to change."""
        self.profiles = Path(shutil.copytree(self.profiles, self.folder / "profiles"))
        return self.profiles / "profiles.yml"

    def context(self, use_case: str | None = None) -> RunContext:
        """Open the workplace, with this deployment's environment in force."""
        os.environ.update(self.environment())
        return open_context(use_case or self.use_case, n_jobs=2)

    @property
    def warehouse(self) -> Warehouse:
        return self.context().warehouse

    def read(self, statement: str, **parameters: Any) -> pd.DataFrame:
        return self.context().warehouse.read(statement, **parameters)

    def write(self, name: str, rows: pd.DataFrame, table: str | None = None) -> None:
        """Append rows to a source table, made with the frame's types if need be."""
        context = self.context()
        ensure_tables(context)
        for column in set(NEED_NOT_SAY.get(name, ())) - set(rows):
            rows = rows.assign(**{column: pd.Series([None] * len(rows), dtype="string")})
        table = table or f"shelfcast-local.{self.dataset}_raw.{name}"
        context.warehouse.create_table(table, {c: _type(rows[c]) for c in rows})
        context.warehouse.append_to(table, rows, f"test-{uuid.uuid4().hex}")

    def in_bucket(self) -> Site:
        """Put the model store into a bucket of the storage emulator, as on Google Cloud."""
        os.environ["STORAGE_EMULATOR_HOST"] = self.endpoints.storage
        client = storage.Client(project="shelfcast-local")
        bucket = f"bucket-{self.dataset}"
        client.create_bucket(bucket)
        self.models_uri = f"gs://{bucket}/store"
        return self

    def copy_project(self) -> Path:
        """Give the deployment a dbt project of its own, to add models to."""
        project = self.folder / "project"
        for part in PROJECT_PARTS:
            shutil.copytree(ROOT / part, project / part)
        for name in PROJECT_FILES:
            shutil.copy(ROOT / name, project / name)
        self.project = project
        return project


def _type(values: pd.Series) -> str:
    """BigQuery's type for a column: by dtype, else by its first value."""
    for is_kind, name in (
        (pd.api.types.is_bool_dtype, "BOOLEAN"),
        (pd.api.types.is_integer_dtype, "INTEGER"),
        (pd.api.types.is_float_dtype, "FLOAT"),
        (pd.api.types.is_datetime64_any_dtype, "TIMESTAMP"),
    ):
        if is_kind(values):
            return name
    first = values.dropna().iloc[0] if values.notna().any() else ""
    kinds = {bool: "BOOLEAN", datetime: "TIMESTAMP", date: "DATE", float: "FLOAT", int: "INTEGER"}
    return kinds.get(type(first), "STRING")


def day(text: str) -> date:
    return date.fromisoformat(text)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
