"""Stored objects of odd content: a lease, a model, a weather answer, a seed, a folder."""

from __future__ import annotations

import errno
import json
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest

from python_jobs.data.holiday_seed import read_seed
from python_jobs.data.weather.answers import AnswerUnreadable, read_answer
from python_jobs.data.weather.places import Place, PlacesWrong, read_places
from python_jobs.data.weather.requests_due import Request
from python_jobs.families.base import FamilySettings
from python_jobs.families.prophet.family import ProphetFamily
from python_jobs.infra import lease
from python_jobs.infra.connection import connection
from python_jobs.infra.dbt_runner import Dbt
from python_jobs.infra.errors import ConnectionFailed, LeaseHeld, SettingsError
from python_jobs.infra.settings import load_settings
from python_jobs.infra.store import FolderStore, open_store, sha256_of
from python_jobs.registry.packing import pack
from python_jobs.registry.serving import load_models
from tests.support.site import ROOT

HELD = {
    "run_id": "R1",
    "purpose": "run",
    "taken_at": "2026-11-25T22:00:00+00:00",
    "expires_at": "9999-01-01T00:00:00+00:00",
}
NO_LEASES = {
    "empty": b"",
    "cut short": orjson.dumps(HELD)[:40],
    "no JSON": b"held by me",
    "not UTF-8": b"\xff\xfe{}",
    "a list": b"[1]",
    "null": b"null",
    "no fields": b"{}",
    "a number for a run": orjson.dumps(HELD | {"run_id": 5}),
    "no instant": orjson.dumps(HELD | {"expires_at": "tomorrow"}),
    "an instant of no zone": orjson.dumps(HELD | {"expires_at": "2026-11-25T22:00:00"}),
}


@pytest.mark.parametrize("content", NO_LEASES.values(), ids=NO_LEASES)
def test_a_lease_object_that_is_no_lease_is_held_by_somebody_until_it_is_taken_over(
    tmp_path, content
):
    store = FolderStore(tmp_path)
    store.put("leases/sku_weekly.json", content)
    with pytest.raises(LeaseHeld, match=r"by an unknown run: .* start again with --take-over"):
        lease.acquire(store, "sku_weekly", "R2", "run")
    assert store.get("leases/sku_weekly.json") == content
    mine = lease.acquire(store, "sku_weekly", "R2", "run", take_over=True)
    mine.renew()
    assert lease.holder(store, "sku_weekly") == "R2"
    mine.release()
    assert lease.holder(store, "sku_weekly") is None


# Models

MODEL: dict[str, Any] = {
    "family": "prophet",
    "options": {},
    "features": ["y_lag1"],
    "train_start": "2024-11-04",
    "train_end": "2026-11-02",
    "n_obs": 105,
    "y_scale": 100.0,
    "k": 0.0,
    "m": 0.5,
    "sigma_obs": 0.04,
    "changepoint_days": [7],
    "delta": [0.0],
    "seasonalities": [],
    "regressors": ["y_lag1"],
    "mu": [40.0],
    "std": [20.0],
    "beta": [0.2],
    "autocorrelation": 0.0,
    "last_residual": 0.0,
}


def stored(**changes: Any) -> bytes:
    packed = orjson.dumps(MODEL | changes)
    head = {"format": "shelfcast-prophet", "format_version": 2, "sha256": sha256_of(packed)}
    return orjson.dumps(head)[:-1] + b"," + packed[1:]


def nested(levels: int) -> Any:
    inner: Any = 1
    for _ in range(levels):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    "changes",
    [
        {"changepoint_days": [2**63]},
        {"changepoint_days": [2**64 - 1]},
        {"changepoint_days": [10**9]},
        {"n_obs": "many"},
        {"options": {"n_paths": 10**12}},
        {"beta": [1e999]},
    ],
)
def test_a_model_of_giant_numbers_costs_its_series_and_no_other(tmp_path, changes):
    loaded = load(tmp_path, {"a": stored(**changes), "b": stored()})
    assert list(loaded.models) == ["v1:b"]
    assert "prophet: the model's" in loaded.faults["v1:a"]


def test_so_does_one_that_is_nested_without_end(tmp_path):
    bottomless = stored().replace(b'"options":{}', b'"options":' + b"[" * 400 + b"]" * 400)
    loaded = load(tmp_path, {"a": bottomless, "b": stored()})
    assert list(loaded.models) == ["v1:b"]
    assert "nested too deep" in loaded.faults["v1:a"]


def test_so_does_one_that_a_family_fails_at(tmp_path, monkeypatch):
    def loads(self: ProphetFamily, data: bytes) -> Any:
        raise OverflowError("out of range")

    monkeypatch.setattr(ProphetFamily, "loads", loads)
    loaded = load(tmp_path, {"a": stored()})
    assert loaded.faults == {"v1:a": "runs/R1.jsonl: unforeseen OverflowError: out of range"}


def load(folder: Path, models: dict[str, bytes]):
    store = FolderStore(folder)
    store.put("runs/R1.jsonl", pack(models))
    rows = [
        {
            "series_id": series_id,
            "model_version": "v1",
            "object": "runs/R1.jsonl",
            "sha256": sha256_of(data),
        }
        for series_id, data in models.items()
    ]
    family = ProphetFamily(FamilySettings("week", 4, 52))
    return load_models(store, family, pd.DataFrame(rows))


# Weather

MOSCOW = Place(55.75, 37.62, "Europe/Moscow")
ASKED = Request(
    "archive",
    (MOSCOW,),
    date(2026, 1, 1),
    date(2026, 1, 2),
    ("temperature_2m_mean", "precipitation_sum"),
    date(2026, 2, 1),
)


def answer(days: list[str], degrees: list[Any], rain: list[Any]) -> bytes:
    daily = {"time": days, "temperature_2m_mean": degrees, "precipitation_sum": rain}
    return json.dumps({"daily": daily}).encode()


@pytest.mark.parametrize(
    ("days", "degrees", "rain", "fault"),
    [
        (["2026-01-01"], [9999], [0], "temperature_2m_mean 9999, which no weather is"),
        (["2026-01-01"], [1e300], [0], "temperature_2m_mean 1e+300, which no weather is"),
        (["2026-01-01"], [1], [-5], "precipitation_sum -5, which no weather is"),
        (["2025-01-01"], [1], [0], "has 2025-01-01, which was not asked for"),
        (["9999-12-31"], [1], [0], "has 9999-12-31, which was not asked for"),
        (["2026-01-01"] * 2, [1, 2], [0, 0], "has 2026-01-01 twice"),
        (["2026-01-01"], ["NaN"], [0], "has 'NaN' where a number should be"),
    ],
)
def test_an_answer_of_no_weather_is_unreadable(days, degrees, rain, fault):
    with pytest.raises(AnswerUnreadable, match="the answer") as error:
        read_answer(ASKED, answer(days, degrees, rain))
    assert fault in str(error.value)


def test_the_weather_of_records_is_read():
    found = read_answer(ASKED, answer(["2026-01-01", "2026-01-02"], [-89.2, 56.7], [1825, 0]))
    assert found.days[MOSCOW] == {date(2026, 1, 1): (-89.2, 1825), date(2026, 1, 2): (56.7, 0)}


# Seeds


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("holiday_date,name,country\n2026-01-01,Новый год,RU\n".encode("cp1251"), "is not UTF-8"),
        (
            b"holiday_date,name,country\n2026-01-01," + b"x" * 200_000 + b",RU\n",
            "after line 1: field larger",
        ),
        (b"x" * 200_000, "line 1: field larger than field limit"),
    ],
    ids=["cp1251", "a giant cell", "a giant header"],
)
def test_a_seed_of_holidays_that_cannot_be_read_says_why(tmp_path, content, fault):
    path = tmp_path / "holidays.csv"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=fault):
        read_seed(path)


@pytest.mark.parametrize(
    "content",
    [
        "location,latitude,longitude,time_zone\nМосква,1,2,UTC\n".encode("cp1251"),
        b"location,latitude,longitude,time_zone\n" + b"x" * 200_000 + b",1,2,UTC\n",
    ],
    ids=["cp1251", "a giant cell"],
)
def test_so_does_one_of_places(tmp_path, content):
    path = tmp_path / "places.csv"
    path.write_bytes(content)
    with pytest.raises(PlacesWrong, match=r"places\.csv cannot be read"):
        read_places(path)


# Folders and files of the machine


@pytest.mark.parametrize("uri", ["/dev/null", "/etc/passwd", "/proc/1/x", "a\0b", "x" * 300])
def test_a_store_that_can_be_no_folder_says_so(uri):
    with pytest.raises(ConnectionFailed, match=r"is a file|can be no folder|cannot be read or wr"):
        open_store(uri)


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the disk is read-only")]
)
def test_a_disk_that_takes_nothing_says_so(tmp_path, monkeypatch, number, said):
    store = FolderStore(tmp_path)

    def write_bytes(self: Path, data: bytes) -> int:
        raise OSError(number, "no", str(self))

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(ConnectionFailed, match=f"runs/x cannot be read or written: {said}"):
        store.put("runs/x", b"1")
    monkeypatch.undo()
    assert list(store.list("")) == []


def test_a_link_in_a_folder_is_no_file_of_it(tmp_path):
    (tmp_path / "secret.csv").write_text("s3cr3t")
    inbox = tmp_path / "inbox"
    store = FolderStore(inbox)
    store.put("plan.csv", b"a")
    (inbox / "1.csv").symlink_to(tmp_path / "secret.csv")
    (inbox / "etc").symlink_to("/etc")
    (inbox / "loop").symlink_to(inbox)
    assert [one.name for one in store.list("")] == ["plan.csv"]


@pytest.mark.parametrize("content", [b"", b'{"sources": {', b"[]", b"\xff", b"{}"])
def test_a_manifest_that_was_cut_short_counts_as_none(tmp_path, monkeypatch, content):
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    (tmp_path / "manifest.json").write_bytes(content)
    dbt = Dbt(ROOT, connection(), load_settings(ROOT, {}), "sku_weekly")
    assert dbt._read_manifest() is None
