"""dbt parses a project once for all sites that differ in nothing that a parse reads.

A site has a dataset of its own, and parsing for it takes seconds, most of what many tests take.
What dbt makes of a project for one dataset is what it makes of it for another, but for the name.
Names of sites' datasets are of one length and stand for nothing else, so that one can be put in the
place of another in what dbt made. Most settings are read when SQL is rendered, for each run anew: a
parse reads only those that name columns, tables and what is enabled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumuro_decoder

from python_jobs.infra.dbt_runner import Dbt

DATASET = re.compile("t[0-9a-f]{10}")
"""What `Site` calls its dataset."""

READ_WHEN_RENDERED = frozenset(
    {
        *("week_starts_on", "time_zone", "schedule", "issue_window_days", "horizon", "season"),
        *("min_observations", "inactive_after", "max_periods_stale", "when_stale"),
        *("max_refused_share", "refit", "families", "family_options", "interval", "seed"),
        *("min_calibration_residuals", "min_pooled_series", "min_segment_rows", "recipe_per"),
        *("per_series_objects_up_to", "alerts", "retraining"),
    }
)
"""Settings of a use case that decide nothing that dbt parses, as a regressor's `when_missing`."""

BY_DBT = Dbt._parsed_by_dbt
"""What stands in its place may be in force already: a test of this within a session's."""


@dataclass(frozen=True)
class Made:
    """What dbt made of a project for a dataset: the files that it writes, for people and itself."""

    dataset: str
    manifest: bytes
    partial_parse: bytes

    @classmethod
    def by(cls, dbt: Dbt) -> Made:
        files = (dbt.target_path / name for name in ("manifest.json", "partial_parse.msgpack"))
        return cls(dbt.connection.dataset, *(file.read_bytes() for file in files))

    def put_at(self, dbt: Dbt) -> Manifest:
        """Make the same for another site, as dbt does where nothing has changed."""
        before, after = self.dataset.encode(), dbt.connection.dataset.encode()
        dbt.target_path.mkdir(parents=True, exist_ok=True)
        (dbt.target_path / "manifest.json").write_bytes(self.manifest.replace(before, after))
        parsed: Manifest = Manifest.from_msgpack(
            self.partial_parse.replace(before, after), decoder=extended_mashumuro_decoder
        )
        parsed.build_parent_and_child_maps()
        parsed.build_flat_graph()  # what `graph` is in SQL
        return parsed


@contextmanager
def parsed_once() -> Iterator[dict[str, Made]]:
    """Let `Dbt` parse each project once within; what it parsed is filled into a dictionary."""
    made = dict[str, Made]()

    def parsed_by_dbt(dbt: Dbt) -> Any:
        dataset = dbt.connection.dataset
        if not DATASET.fullmatch(dataset):
            return BY_DBT(dbt)
        key = _key(dbt).replace(dataset, "dataset")
        if key not in made:
            parsed = BY_DBT(dbt)
            made[key] = Made.by(dbt)
            return parsed
        return made[key].put_at(dbt)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dbt, "_parsed_by_dbt", parsed_by_dbt)
        yield made


def _key(dbt: Dbt) -> str:
    """All that decides what dbt parses: files, connection, and the settings that a parse reads."""
    *parts, _ = dbt._decisive()
    return "\n".join(
        [dbt.use_case, *parts, orjson.dumps(_parsed_of(dbt.settings.dbt_vars)).decode()]
    )


def _parsed_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The vars that decide what dbt parses."""
    use_cases = settings.get("use_cases", {})
    return {**settings, "use_cases": {name: _read_of(one) for name, one in use_cases.items()}}


def _read_of(use_case: dict[str, Any]) -> dict[str, Any]:
    read = {name: one for name, one in use_case.items() if name not in READ_WHEN_RENDERED}
    for name, rule in read.get("regressors", {}).items():
        decisive = {key: value for key, value in rule.items() if key != "when_missing"}
        read["regressors"] = {**read["regressors"], name: decisive}
    return read
