"""Cloud Storage on a bad day: answers of 503, bytes that changed, a bucket that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from python_jobs.infra.errors import ConnectionFailed, ShelfcastError
from python_jobs.infra.store import (
    AlreadyThere,
    ModelStore,
    ObjectCorrupt,
    ObjectMissing,
    open_store,
)
from tests.support import children, golden
from tests.support.flaky_storage import Flaky, flaky_storage
from tests.support.site import Site


@pytest.fixture
def flaky(local_stack) -> Iterator[Flaky]:
    """A storage server that answers 503 to the first two requests of each kind."""
    with flaky_storage(local_stack.storage, n_failures=2) as proxy:
        yield proxy


@pytest.fixture
def open_bucket(bucket, monkeypatch) -> Callable[[str], ModelStore]:
    def open_at(url: str) -> ModelStore:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        return open_store(f"gs://{bucket.name}/store")

    return open_at


def test_every_operation_outlives_two_answers_of_503(flaky, open_bucket):
    store = open_bucket(flaky.url)
    store.put("leases/a.json", b"mine", generation=0)
    store.put_many({f"models/{n}.json": str(n).encode() for n in range(20)})
    assert store.get("leases/a.json") == b"mine"
    assert store.get_many(["models/0.json", "models/7.json"]) == {
        "models/0.json": b"0",
        "models/7.json": b"7",
    }
    assert [stored.name for stored in store.list("models/1")] == sorted(
        f"models/{n}.json" for n in (1, *range(10, 20))
    )
    store.delete("leases/a.json")
    assert store.stat("leases/a.json") is None
    assert {method: flaky.refused[method] for method in ("GET", "POST", "DELETE")} == {
        "GET": 2,
        "POST": 2,
        "DELETE": 2,
    }


def test_training_outlives_two_answers_of_503(make_site: Callable[[], Site], flaky):
    site = golden.make(make_site().in_bucket())
    site.endpoints = replace(site.endpoints, storage=flaky.url)
    trained = children.shelfcast(site, "train", "--as-of", f"{golden.FIRST}T22:00")
    assert trained.returncode == 0, trained.stderr
    assert flaky.refused["POST"] == 2
    models = site.read("select series_id from {models} where stage = 'serving' order by 1")
    assert list(models["series_id"]) == [golden.A, golden.B]


def test_bytes_that_are_not_those_of_their_checksum_are_refused(local_stack, open_bucket, bucket):
    store = open_bucket(local_stack.storage)
    store.put("runs/R1/models.jsonl", b"good")
    blob = bucket.get_blob("store/runs/R1/models.jsonl")
    checksum = blob.metadata
    changed = bucket.blob("store/runs/R1/models.jsonl")
    changed.metadata = checksum
    changed.upload_from_string(b"evil")
    with pytest.raises(ObjectCorrupt, match=r"runs/R1/models\.jsonl: its bytes are not those"):
        store.get("runs/R1/models.jsonl")
    store.put("runs/R2/models.jsonl", b"good")
    many = store.get_many(["runs/R1/models.jsonl", "runs/R2/models.jsonl"])
    assert isinstance(many["runs/R1/models.jsonl"], ObjectCorrupt)
    assert many["runs/R2/models.jsonl"] == b"good"


def test_a_bucket_that_does_not_exist_is_named(local_stack, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", local_stack.storage)
    store = open_store("gs://no-such-bucket/store")
    with pytest.raises(ObjectMissing, match=r"gs://no-such-bucket/store: .*or its bucket"):
        store.put("a", b"")


def test_objects_that_were_not_written_are_counted(local_stack, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", local_stack.storage)
    store = open_store("gs://no-such-bucket/store")
    with pytest.raises(ShelfcastError, match=r"2 of 2 objects were not written \(first: .*a does"):
        store.put_many({"a": b"1", "b": b"2"})


def test_many_objects_take_a_request_each(local_stack, open_bucket, monkeypatch):
    """On a network each request costs tens of milliseconds, and a run writes one model a series."""
    store = open_bucket(local_stack.storage)
    sent, send = [], store.client._http.request

    def record(method: str, *arguments: object, **options: object) -> object:
        sent.append(method)
        return send(method, *arguments, **options)

    monkeypatch.setattr(store.client._http, "request", record)
    store.put_many({f"models/{n}.json": b"x" for n in range(12)})
    assert sent == ["POST"] * 12


def test_a_server_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr("python_jobs.infra.store.DEFAULT_RETRY", None)
    store = open_store("gs://any/store")
    with pytest.raises(
        ConnectionFailed, match=r"gs://any/store cannot be reached for a: .*refused"
    ):
        store.put("a", b"")


def test_a_lost_race_is_loud(local_stack, open_bucket):
    store = open_bucket(local_stack.storage)
    first = store.put("a", b"1", generation=0)
    with pytest.raises(AlreadyThere):
        store.put("a", b"2", generation=0)
    second = store.put("a", b"2", generation=first)
    with pytest.raises(AlreadyThere):
        store.delete("a", generation=first)
    store.delete("a", generation=second)
