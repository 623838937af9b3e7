"""Where a training puts its models: packed for jobs, and one by one for people while they are few.

tests/faults/test_shards.py asks the same of the warehouse's own count, over several shards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_jobs.fitting.train import train
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import UseCase, load_settings
from python_jobs.infra.store import FolderStore, sha256_of
from python_jobs.registry.verify import verify
from tests.support import families  # noqa: F401 - registers the families by its import
from tests.support.site import ROOT, instant

ORIGIN = Origin(date(2026, 2, 15), instant("2026-02-18 19:00"))
SERIES = [f"N1|retail|{sku}" for sku in "ABC"]
COPIES = {f"models/sku_weekly/N1/retail/{sku}.json" for sku in "ABC"}


@dataclass
class FakeWarehouse:
    """A training panel of three series; the registry serves what was logged last."""

    log: pd.DataFrame = field(default_factory=pd.DataFrame)

    def read(self, statement: str, **parameters: Any) -> pd.DataFrame:
        if "training_panel" in statement:
            return panel()
        if "{models}" in statement:
            return self.log.assign(train_end=pd.to_datetime(self.log["train_end"]))
        if "max(origin_date)" in statement:
            day = pd.Timestamp(ORIGIN.origin_date)
            return pd.DataFrame({"series_id": SERIES, "origin_date": day})
        return pd.DataFrame({"n": [0 if "{model_events}" in statement else len(SERIES)]})

    def append(self, name: str, frame: pd.DataFrame, job_id: str) -> bool:
        if name == "model_log":
            self.log = frame
        return True


def panel() -> pd.DataFrame:
    weeks = [ORIGIN.origin_date - timedelta(days=6 + 7 * n) for n in (2, 1, 0)]
    rows = [(name, week, 5.0, 5.0, 0.0, None) for name in SERIES for week in weeks]
    columns = ["series_id", "ds", "y", "y_lag1", "promo_share", "left_out_reason"]
    return pd.DataFrame(rows, columns=columns).astype({"ds": "datetime64[s]"})


@dataclass
class Shop:
    """A store, and a training of three series with one limit or another."""

    store: FolderStore
    warehouse: FakeWarehouse = field(default_factory=FakeWarehouse)

    def use_case(self, limit: int | None, family: str) -> UseCase:
        use_case = load_settings(ROOT, {}).use_case("sku_weekly")
        regressors = {"promo_share": use_case.regressors["promo_share"]}
        changes: dict[str, Any] = {"families": (family,), "regressors": regressors}
        if limit is not None:
            changes["per_series_objects_up_to"] = limit
        return use_case.model_copy(update=changes)

    def train(self, run_id: str, limit: int | None, family: str = "level") -> set[str]:
        """The names of the copies for people that are there after it."""
        run = Run(run_id, "train", self.use_case(limit, family), [ORIGIN])
        train(self.warehouse, self.store, run, 1, lambda done, n: None)  # type: ignore[arg-type]
        assert [one.name for one in self.store.list(f"runs/{run_id}/")] == [
            f"runs/{run_id}/sku_weekly/{family}/2026-02-15/shard-00000.jsonl"
        ]
        return {one.name for one in self.store.list("models/")}

    def faults(self, limit: int) -> set[tuple[str, str]]:
        found = verify(self.warehouse, self.store, self.use_case(limit, "level"))  # type: ignore[arg-type]
        return {(finding.kind, finding.what) for finding in found.findings}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(FolderStore(tmp_path))


@pytest.mark.parametrize(("limit", "copies"), [(None, COPIES), (3, COPIES), (2, set()), (0, set())])
def test_models_lie_one_by_one_while_the_run_has_few_series(shop, limit, copies):
    assert shop.train("R", limit) == copies
    assert not shop.faults(3 if limit is None else limit)


def test_a_global_model_is_always_shown(shop):
    assert shop.train("R", 0, "ridge") == {"models/sku_weekly/ridge/model.json"}


def test_a_run_of_too_many_series_removes_the_copies_that_it_outdates(shop):
    stranger = "models/sku_weekly/N1/retail/D.json"
    shop.train("FEW", 3)
    shop.store.put(stranger, b"{}")
    assert shop.train("MANY", 2) == {stranger}
    assert shop.faults(2) == {("orphaned", stranger)}


@pytest.mark.parametrize(
    ("limit", "spoil", "faults"),
    [
        (3, lambda store, name: store.delete(name), {("missing", SERIES[0])}),
        (2, lambda store, name: store.delete(name), set()),
        (
            2,
            lambda store, name: store.put(name, b"{}"),
            {("wrong_checksum", "models/sku_weekly/N1/retail/A.json")},
        ),
    ],
)
def test_a_copy_is_missed_only_where_there_should_be_one(
    shop: Shop,
    limit: int,
    spoil: Callable[[FolderStore, str], None],
    faults: set[tuple[str, str]],
):
    shop.train("R", 3)
    assert shop.store.get(min(COPIES)) == b'{"level": 5.0}'
    assert shop.warehouse.log["sha256"][0] == sha256_of(b'{"level": 5.0}')
    spoil(shop.store, min(COPIES))
    assert shop.faults(limit) == faults
