"""Generators of hostile inputs, one an area: each makes a case of a random number generator."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pandas as pd
import yaml

from python_jobs.data.files import column_type, convert, parse
from python_jobs.data.holiday_seed import read_seed
from python_jobs.data.weather.answers import read_answer
from python_jobs.data.weather.places import Place, read_places
from python_jobs.data.weather.requests_due import Request
from python_jobs.families import make_family
from python_jobs.infra import lease
from python_jobs.infra.errors import LeaseHeld, ShelfcastError
from python_jobs.infra.settings import load_settings
from python_jobs.infra.store import FolderStore, sha256_of
from python_jobs.registry.packing import pack
from python_jobs.registry.serving import key, load_models
from tests.faults.hostile import values
from tests.faults.hostile.classes import Case
from tests.support.site import ROOT, project_vars

Maker = Callable[[Random], Case]

SETTINGS = {"use_cases": project_vars()["use_cases"]}
SECTIONS = (*SETTINGS, "prices", "job_size", "metrics", "publish", "fetch_defaults")


def settings(random: Random) -> Case:
    """Settings as a file of YAML or as JSON in the variable."""
    if random.random() < 0.15:
        bomb = yaml.safe_dump(SETTINGS).encode() + random.choice(BOMBS)
        return Case("settings", repr(bomb[-2000:]), lambda: _load_settings_file(bomb))
    tree = SETTINGS
    if random.random() < 0.2:
        name = random.choice(SECTIONS)
        tree = {name: project_vars()[name]}
    spoiled = values.spoiled(random, tree, random.choice((1, 1, 1, 2, 5)))
    if random.random() < 0.3:
        text = json.dumps(spoiled, default=str)
        return Case("settings", text[:2000], lambda: _load_settings(text))
    content = _yaml_of(random, spoiled)
    return Case("settings", repr(content[:2000]), lambda: _load_settings_file(content))


def _yaml_of(random: Random, tree: Any) -> bytes:
    try:
        content = yaml.safe_dump(tree, sort_keys=False).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, RecursionError, ValueError):
        content = repr(tree).encode("utf-8", "surrogatepass")
    return values.damaged(random, content) if random.random() < 0.2 else content


def _laughs(levels: int) -> bytes:
    lines = ["metrics:", "  a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for n in range(1, levels):
        lines.append(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")
    return "\n".join(lines).encode()


BOMBS = (
    *(b"\nmetrics: " + b"[" * 100_000, b"\nmetrics: " + b"{a: " * 20_000, b"\n" + _laughs(12)),
    *(b"\nmetrics: &a [*a]", b"\nmetrics: !!python/object/apply:os.system [id]"),
    *(b"\nmetrics: !!binary aGVsbG8=", b"\nmetrics: " + b"9" * 5000, b"\nmetrics: 0o777"),
    *(
        b"\nuse_cases: {}",
        b"\n? [a]\n: b",
        b"\n<<: 3",
        b"\nmetrics: 2026-13-45",
        b"\nmetrics: .inf",
    ),
    *(b"\nmetrics: !!set {a, b}", b"\nmetrics: 1:30", b"\n%YAML 9.9\n---\n", b"\n--- 1\n--- 2\n"),
)


def _load_settings(text: str) -> None:
    load_settings(ROOT, {"SHELFCAST_SETTINGS": text})


def _load_settings_file(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.yml"
        path.write_bytes(content)
        _load_settings(str(path))


CSV = (
    b"unit,channel,sku_id,week_start,units_sold,price,loaded_at\n"
    b"N1,retail,007,2026-01-05,3,2.50,2026-01-06T10:00:00Z\n"
    b"N1,retail,9007199254740993,2026-01-12,4,,\n"
)


def files(random: Random) -> Case:
    """A file for `shelfcast load`, read as far as its rows and types."""
    content = values.damaged(random, CSV)
    if random.random() < 0.5:
        header = random.sample(["a b", "a_b", "A", "a", "", "1", "é", "x" * 400, "unparsed"], 3)
        cells = [values.text(random) for _ in range(9)]
        rows = [header, cells[:3], cells[3:6], cells[6:]]
        quoted = "\n".join(",".join(f'"{one}"' for one in row) for row in rows)
        content = quoted.encode("utf-8", "surrogatepass")
    name = random.choice(("f.csv", "f.csv", "f.csv.gz", "f.parquet", "f.txt", "f\0.csv"))
    return Case("files", f"{name} {content[:400]!r}", lambda: _load_file(name, content))


def _load_file(name: str, content: bytes) -> None:
    texts = parse(name, content)
    for column in texts:
        convert(texts[column], column_type(texts[column]))
        for type_ in ("INTEGER", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP"):
            convert(texts[column], type_)


HOLIDAYS = b"holiday_date,name,country,source\n2026-01-01,New Year,RU,holidays\n2026-05-09,V,RU,\n"
PLACES = b"location,latitude,longitude,time_zone\nN1,55.75,37.62,Europe/Moscow\n"


def seeds(random: Random) -> Case:
    """The seed of holidays or of places."""
    read, good = random.choice(((read_seed, HOLIDAYS), (read_places, PLACES)))
    content = values.damaged(random, good)
    how = random.random()
    if how < 0.1:
        content = good + b"x" * 200_000 + b"\n"
    elif how < 0.4:
        lines = good.decode().splitlines()
        cells = lines[1].split(",")
        cells[random.randrange(len(cells))] = values.text(random)
        content = f"{lines[0]}\n{','.join(cells)}\n".encode("utf-8", "surrogatepass")
    shown = f"{read.__name__} {content[:300]!r}"
    return Case("seeds", shown, lambda: _read_in_folder(read, content))


def _read_in_folder(read: Callable[[Path], Any], content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.csv"
        path.write_bytes(content)
        read(path)


MODEL: dict[str, Any] = {
    **{"family": "prophet", "options": {}, "features": ["promo", "y_lag1"]},
    **{"train_start": "2024-11-04", "train_end": "2026-11-02", "n_obs": 105, "y_scale": 100.0},
    **{"k": 0.0, "m": 0.5, "sigma_obs": 0.04, "changepoint_days": [7, 14], "delta": [0.0, 0.1]},
    **{"regressors": ["promo", "y_lag1"], "mu": [0.0, 40.0], "std": [1.0, 20.0]},
    **{"beta": [0.1, 0.2], "autocorrelation": 0.0, "last_residual": 0.0},
    "seasonalities": [],
}


def models(random: Random) -> Case:
    """A stored model under a right checksum, loaded as the registry does, then used."""
    spoiled = values.spoiled(random, MODEL, random.choice((0, 1, 1, 2)))
    data = _model_bytes(spoiled)
    if random.random() < 0.2:
        data = values.damaged(random, data)
    return Case("models", repr(data[:600]), lambda: _use_model(data))


def _model_bytes(body: Any) -> bytes:
    try:
        packed = orjson.dumps(body)
    except TypeError:
        packed = json.dumps(body, default=str, allow_nan=True).encode("utf-8", "replace")
        return b'{"format":"shelfcast-prophet","format_version":2,"sha256":"x",' + packed[1:]
    head = {"format": "shelfcast-prophet", "format_version": 2, "sha256": sha256_of(packed)}
    return orjson.dumps(head)[:-1] + b"," + packed[1:]


def _use_model(data: bytes) -> None:
    use_case = load_settings(ROOT, {}).use_case(None)
    family = make_family("prophet", use_case.family_settings("prophet"))
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        store.put("runs/R1.jsonl", pack({"a": data}))
        row = {"series_id": "a", "model_version": "v1", "object": "runs/R1.jsonl"}
        loaded = load_models(store, family, pd.DataFrame([row | {"sha256": sha256_of(data)}]))
    assert set(loaded.models) | set(loaded.faults) == {key("v1", "a")}
    for fault in loaded.faults.values():
        if "unforeseen" in fault:
            raise AssertionError(fault)
        raise ShelfcastError(fault)
    for model in loaded.models.values():
        answer = family.predict({"v1": model}, _future(model.features))
        assert len(answer) == 4
        assert (answer["yhat"].notna() | answer["reason"].notna()).all()


def _future(features: tuple[str, ...]) -> pd.DataFrame:
    origin = pd.Timestamp("2026-11-08")
    days = origin + pd.Timedelta(days=1) + pd.to_timedelta(range(0, 28, 7), "D")
    rows = {"model_version": "v1", "series_id": "a", "origin_date": origin}
    frame = pd.DataFrame({**rows, "horizon_step": range(1, 5), "target_date": days})
    return frame.assign(**dict.fromkeys({"y_lag1", *features}, 1.0))


FIRST, LAST = date(2026, 1, 1), date(2026, 1, 3)
ANSWER: dict[str, Any] = {
    "latitude": 55.75,
    "daily": {
        "time": ["2026-01-01", "2026-01-02", "2026-01-03"],
        "temperature_2m_mean": [1.5, None, -3.0],
    },
}


def answers(random: Random) -> Case:
    """An answer of the weather service."""
    spoiled = values.spoiled(random, ANSWER, random.choice((1, 1, 2)))
    content = _json_bytes(random, spoiled)
    return Case("weather answers", repr(content[:600]), lambda: _read_answer(content))


def _json_bytes(random: Random, tree: Any) -> bytes:
    content = json.dumps(tree, default=str).encode("utf-8", "replace")
    return values.damaged(random, content) if random.random() < 0.3 else content


def _read_answer(content: bytes) -> None:
    place = Place(55.75, 37.62, "Europe/Moscow")
    request = Request("archive", (place,), FIRST, LAST, ("temperature_2m_mean",), LAST)
    for day, (degrees,) in read_answer(request, content).days[place].items():
        assert FIRST - timedelta(days=1) <= day <= LAST + timedelta(days=1)
        assert degrees is None or -120 <= degrees <= 80


LEASE = {
    **{"run_id": "R1", "purpose": "run", "taken_at": "2026-11-25T22:00:00+00:00"},
}


def leases(random: Random) -> Case:
    """A lease object: another run is held off, and takes it over where it says so."""
    expires = random.choice(("9999-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"))
    spoiled = values.spoiled(random, LEASE | {"expires_at": expires}, random.choice((0, 1, 1, 2)))
    content = _json_bytes(random, spoiled)
    return Case("leases", repr(content[:400]), lambda: _take_lease(content))


def _take_lease(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        store.put("leases/sku_weekly.json", content)
        refusal = None
        try:
            lease.acquire(store, "sku_weekly", "R2", "run").release()
            store.put("leases/sku_weekly.json", content)
        except LeaseHeld as error:
            refusal = error
        mine = lease.acquire(store, "sku_weekly", "R2", "run", take_over=True)
        mine.renew()
        mine.release()
        assert lease.holder(store, "sku_weekly") is None
        if refusal is not None:
            raise refusal


def keyed(environment: Mapping[str, str | None]) -> dict[str, str]:
    """The environment with some variables set or taken away, as a process can have it."""
    changed = {
        name: one for name, one in environment.items() if one is not None and "\0" not in one
    }
    safe = {name: one.encode("utf-8", "replace").decode() for name, one in changed.items()}
    return {**{name: one for name, one in os.environ.items() if name not in environment}, **safe}
