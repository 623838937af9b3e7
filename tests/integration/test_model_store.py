"""Names become objects: distinct keys, distinct objects, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_jobs.infra.object_names import decode_part, encode_part, model_path
from python_jobs.infra.series import join_key, split_key
from python_jobs.infra.store import ModelStore, ObjectMissing, open_store, sha256_of

ODD_PARTS = [
    "",
    ".",
    "..",
    "...",
    "a",
    "A",
    "a/b",
    "a%2Fb",
    "a\\b",
    "a|b",
    "%00",
    "\x00",
    "%2E%2E",
    "%~",
    "x" * 300,
    "x" * 299 + "y",
    "é" * 150,
    " a",
    "a ",
    "Крем 5%",
    "a.json",
    "con",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@pytest.fixture(params=["bucket", "folder"])
def store(request, tmp_path: Path, local_stack, bucket, monkeypatch) -> Iterator[ModelStore]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", local_stack.storage)
    yield open_store(f"gs://{bucket.name}/x" if request.param == "bucket" else str(tmp_path))


def test_odd_parts_are_objects_of_their_own(store):
    """Parts that are `..`, empty, 300 bytes long or hold a slash, each in each place of the key."""
    keys = [(part, "b") for part in ODD_PARTS] + [("b", part) for part in ODD_PARTS]
    objects = {model_path("sku_weekly", key): repr(key).encode() for key in keys}
    assert len(objects) == len(keys)
    store.put_many(objects)
    assert {stored.name for stored in store.list("models/sku_weekly/")} == set(objects)
    assert store.get_many(list(objects)) == objects
    for name, data in objects.items():
        assert store.get(name) == data
        assert store.stat(name).sha256 == sha256_of(data)


@given(TEXT, TEXT)
def test_distinct_parts_have_distinct_names_and_come_back(one, other):
    assert (encode_part(one) == encode_part(other)) == (one == other)
    encoded = encode_part(one)
    assert decode_part(encoded) in (one, None)
    assert decode_part(encoded) == one or len(one.encode()) > 60


@given(TEXT)
def test_a_part_is_one_harmless_piece_of_a_path(part):
    encoded = encode_part(part)
    assert encoded and len(encoded) <= 200
    assert encoded.isascii() and "/" not in encoded and "\\" not in encoded
    assert set(encoded) != {"."}


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_series_id_splits_into_the_parts_it_was_joined_of(parts):
    assert split_key(join_key(parts)) == parts


@pytest.mark.parametrize("encoded", ["a b", "a/b", "..", "", "%zz", "%2e", "%61", "%ff"])
def test_what_encodes_nothing_is_refused(encoded):
    with pytest.raises(ValueError):
        decode_part(encoded)


def test_what_is_not_there_says_so(store):
    assert store.stat("nothing") is None
    for operation in (store.get, store.delete):
        with pytest.raises(ObjectMissing, match="nothing does not exist"):
            operation("nothing")


def test_of_many_each_is_read_or_says_what_is_wrong(store):
    store.put_many({"a": b"1", "b": b""})
    found = store.get_many(["a", "nothing", "b"])
    assert {name: found[name] for name in ("a", "b")} == {"a": b"1", "b": b""}
    assert isinstance(found["nothing"], ObjectMissing)
    assert "nothing does not exist" in str(found["nothing"])
    assert store.get_many([]) == {}


def test_an_overwrite_replaces_bytes_and_checksum(store):
    store.put("models/a.json", b"1")
    store.put("models/a.json", b"22")
    assert store.get("models/a.json") == b"22"
    assert [(one.name, one.sha256) for one in store.list("")] == [
        ("models/a.json", sha256_of(b"22"))
    ]
