"""Compare the models that should serve with the objects that lie in the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from python_jobs.families import make_family
from python_jobs.families.base import GLOBAL_SERIES, Family
from python_jobs.fitting.train import public_path
from python_jobs.infra.errors import first_few
from python_jobs.infra.object_names import decode_part, encode_part
from python_jobs.infra.settings import UseCase
from python_jobs.infra.store import ModelStore, Stored
from python_jobs.infra.warehouse import Warehouse
from python_jobs.registry.serving import key, load_models

SERVING_NOW = """
with ranked as (
    select *
    from {models}
    where use_case = @use_case and model_name = @model_name and stage = 'serving'
    qualify row_number() over (
        partition by coalesce(series_id, '') order by stage_as_of_at desc, stage_at desc
    ) = 1
)
select series_id, model_version, object, sha256, train_end, origin_date
from ranked
"""

FORECASTABLE = """
select series_id, max(origin_date) as origin_date
from {series}
where is_forecastable
group by series_id
"""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: missing | unreadable | orphaned | misnamed | wrong_checksum | trained_past_origin.
        what: the series or the object.
        detail: a sentence.
    """

    kind: str
    what: str
    detail: str


@dataclass(frozen=True)
class Verification:
    """Findings of a verification.

    Attributes:
        n_forecastable: series that should have a model.
        n_unusable: of those, how many have none that prediction could use.
        findings: everything that is wrong, public copies included.
    """

    n_forecastable: int
    n_unusable: int
    findings: list[Finding]

    def __str__(self) -> str:
        if not self.findings:
            return f"{self.n_forecastable} forecastable series, each with its model."
        kinds = pd.Series([finding.kind for finding in self.findings]).value_counts()
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        names = [f"{finding.what}: {finding.detail}" for finding in self.findings]
        return (
            f"{len(self.findings)} faults among {self.n_forecastable} forecastable series "
            f"({counts}). First: {first_few(names)}"
        )


def verify(warehouse: Warehouse, store: ModelStore, use_case: UseCase) -> Verification:
    """Check the champion's models: those that jobs read, and the copies that people find.

    Args:
        warehouse: holds the registry and the series of the last run.
        store: holds the objects.
        use_case: whose champion.

    Raises:
        MissingRelation: nothing was ever built.
    """
    family = make_family(use_case.champion, use_case.family_settings(use_case.champion))
    serving = warehouse.read(SERVING_NOW, use_case=use_case.name, model_name=family.name)
    series = warehouse.read(FORECASTABLE.replace("{series}", f"{{{use_case.name}_series}}"))
    unusable = _unusable(store, family, serving, series)
    has_copies = (
        family.scope == "global"
        or max(len(series), len(serving)) <= use_case.per_series_objects_up_to
    )
    findings = [*unusable, *_copies(store, use_case, family, serving, has_copies)]
    return Verification(len(series), len(unusable), findings)


def _unusable(
    store: ModelStore, family: Family[Any], serving: pd.DataFrame, series: pd.DataFrame
) -> list[Finding]:
    """Faults that keep a forecastable series from its model."""
    by_series = _by_series(family, serving, series["series_id"])
    faults = load_models(store, family, serving).faults
    findings = []
    for series_id, origin in zip(series["series_id"], series["origin_date"], strict=True):
        row = by_series.get(series_id)
        if row is None:
            findings.append(Finding("missing", series_id, "no model serves; run `shelfcast train`"))
            continue
        owner = GLOBAL_SERIES if family.scope == "global" else series_id
        fault = faults.get(key(row["model_version"], owner))
        if fault is not None:
            findings.append(Finding("unreadable", series_id, fault))
        elif row["train_end"] > origin:
            detail = f"trained up to {row['train_end']:%Y-%m-%d}, origin {origin:%Y-%m-%d}"
            findings.append(Finding("trained_past_origin", series_id, detail))
    return findings


def _by_series(
    family: Family[Any], serving: pd.DataFrame, series_ids: Iterable[str]
) -> dict[str, dict[str, Any]]:
    records = serving.to_dict("records")
    if family.scope == "global":
        return dict.fromkeys(series_ids, records[0]) if records else {}
    return {record["series_id"]: record for record in records}


def _copies(
    store: ModelStore,
    use_case: UseCase,
    family: Family[Any],
    serving: pd.DataFrame,
    has_copies: bool,
) -> list[Finding]:
    """How the copies under the public paths differ from what serves.

    Where series are too many for an object of each, one that is there must be right all the same.
    """
    expected = {
        public_path(use_case.name, family, series_id or GLOBAL_SERIES): (series_id, sha256)
        for series_id, sha256 in zip(serving["series_id"], serving["sha256"], strict=True)
    }
    there = {stored.name: stored for stored in store.list(f"models/{encode_part(use_case.name)}/")}
    findings = [
        Finding("missing", str(series_id), f"{path} does not exist")
        for path, (series_id, _) in expected.items()
        if has_copies and path not in there
    ]
    for name, stored in there.items():
        finding = _judge_copy(use_case, name, stored, expected)
        if finding is not None:
            findings.append(finding)
    return findings


def _judge_copy(
    use_case: UseCase, name: str, stored: Stored, expected: dict[str, tuple[str, str]]
) -> Finding | None:
    if name in expected:
        if stored.sha256 == expected[name][1]:
            return None
        return Finding("wrong_checksum", name, "its checksum is not that of the model that serves")
    if not _is_well_named(use_case, name):
        return Finding("misnamed", name, "its name is no encoded key of this use case")
    return Finding("orphaned", name, "no model serves under this name")


def _is_well_named(use_case: UseCase, name: str) -> bool:
    parts = name.removesuffix(".json").split("/")[2:]
    if not name.endswith(".json") or len(parts) != max(len(use_case.key), 1):
        return False
    try:
        for part in parts:
            decode_part(part)
    except ValueError:
        return False
    return True
