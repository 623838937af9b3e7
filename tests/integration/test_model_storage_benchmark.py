"""The benchmark of model storage, shortened: what it writes is there, what it reads is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import model_storage
from benchmarks.portfolio_speed import HORIZON, REGRESSORS
from python_jobs.families import make_family
from python_jobs.families.base import FamilySettings
from python_jobs.infra.store import FolderStore
from python_jobs.local.ports import Endpoints


def test_it_measures_a_folder_and_a_bucket(local_stack: Endpoints, tmp_path: Path) -> None:
    result = model_storage.run(local_stack, tmp_path, n_series=12, n_sample=3, n_distinct=2)
    store = FolderStore(tmp_path)
    assert len(store.get(model_storage.OBJECT).splitlines()) == 12
    copies = [store.get(one.name) for one in store.list("models/sku_weekly/N1/retail/S")]
    assert len(copies) == 3
    mean = (6 * len(copies[0]) + 6 * len(copies[1])) / 12
    assert result["bytes_per_model"] == pytest.approx(mean, abs=0.001)
    places = ("", "_emulator")
    steps = ("write_packed_s", "write_per_series_s", "read_packed_s")
    assert min(result[step + place] for step in steps for place in places) > 0
    assert (result["n_series"], result["per_series_sample"], result["n_distinct"]) == (12, 3, 2)


def test_a_model_that_does_not_come_back_ends_it(tmp_path: Path) -> None:
    settings = FamilySettings("week", HORIZON, 52, REGRESSORS)
    family = make_family("prophet", settings)
    models = {"A": model_storage.fitted_models(family, 1, seed=1)[0]}
    store = FolderStore(tmp_path)
    serving, _ = model_storage.write_packed(store, family, models)
    assert model_storage.read_packed(store, family, serving) == 1
    with pytest.raises(SystemExit, match=r"1 models cannot be used: .*checksum"):
        model_storage.read_packed(store, family, serving.assign(sha256="0"))
