"""What a killed storage emulator leaves on disk, and what it makes of it afterwards."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gcp_storage_emulator import storage as upstream
from gcp_storage_emulator.exceptions import NotFound
from hypothesis import example, given, settings
from hypothesis import strategies as st

import emulators
from emulators.storage.files import Storage, content_path


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs."""


def resource(name: str, generation: int) -> dict[str, str]:
    return {"name": name, "generation": str(generation), "id": f"b/{name}/{generation}"} | {
        "mediaLink": f"http://localhost/{name}?generation={generation}",
        "bucket": "b",
    }


@pytest.fixture
def held(tmp_path):
    held = Storage(tmp_path)
    held.create_bucket("b", {"name": "b"})
    held.create_file("b", "lease", b"one", resource("lease", 1))
    return held


def die(*_args: object) -> None:
    raise Killed


def test_an_upload_killed_before_its_content_left_the_object_before_it(held, tmp_path, monkeypatch):
    monkeypatch.setattr(held._store, "write_bytes", die)
    with pytest.raises(Killed):
        held.create_file("b", "lease", b"two", resource("lease", 2))
    assert Storage(tmp_path).get_file("b", "lease") == b"one"


def test_an_upload_killed_before_its_listing_left_the_object_before_it(held, tmp_path, monkeypatch):
    monkeypatch.setattr(held._listing, "change", die)
    with pytest.raises(Killed):
        held.create_file("b", "lease", b"two", resource("lease", 2))
    assert Storage(tmp_path).get_file("b", "lease") == b"one"


def test_an_upload_killed_after_its_listing_is_there(held, tmp_path, monkeypatch):
    monkeypatch.setattr(held._store, "remove_file", die)
    with pytest.raises(Killed):
        held.create_file("b", "lease", b"two", resource("lease", 2))
    assert Storage(tmp_path).get_file("b", "lease") == b"two"


def test_a_change_of_several_entries_is_whole_or_not_at_all(held, tmp_path):
    entries = {("objects", "b", "x"): {"name": "x"}, ("objects", "b", "y"): {1j}}
    with pytest.raises(TypeError, match="not JSON serializable"):
        held._listing.change(entries)
    with pytest.raises(TypeError, match="not JSON serializable"):
        held._listing.replace({"objects": {"b": {"y": 1j}}})
    assert Storage(tmp_path).objects["b"].keys() == {"lease"}


UPLOADS = """
import sys
from pathlib import Path
from emulators.storage.files import Storage
from tests.emulators.test_storage_files import resource
held = Storage(Path(sys.argv[1]))
for number in range(1, 1_000_000):
    for name in ("lease", "model"):
        held.create_file("b", name, str(number).encode() * 2000, resource(name, number))
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_uploads_killed_at_any_moment_are_whole_and_none_is_lost(held, tmp_path, seed):
    command = [sys.executable, "-c", UPLOADS, str(tmp_path)]
    root = Path(emulators.__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        writer.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        acknowledged = int(["1", *writer.stdout.read().split()][-1])
    found = Storage(tmp_path)
    for name in ("lease", "model"):
        content = found.get_file("b", name).decode()
        number = int(content[: len(content) // 2000])
        assert content == str(number) * 2000
        assert acknowledged <= number <= acknowledged + 1


def test_what_happens_once_an_object_writes_no_other_objects_entry(held, monkeypatch):
    """Writing the whole listing each time made the thousandth upload as slow as all before it."""
    monkeypatch.setattr(held, "_write_config_to_file", die)
    upload = held.create_resumable_upload("b", "model", resource("model", 2))
    held.create_file("b", "model", b"x", held.get_resumable_file_obj(upload), upload)
    held.create_file("b", "model", b"y", resource("model", 3))
    held.delete_file("b", "model")


def test_a_resumable_upload_outlives_a_restart_and_ends_once(held, tmp_path):
    upload = held.create_resumable_upload("b", "model", resource("model", 2))
    held.add_to_resumable_upload(upload, b"half", total_size=8)
    later = Storage(tmp_path)
    whole = later.add_to_resumable_upload(upload, b"more", total_size=8, expected_start=4)
    later.create_file("b", "model", whole, later.get_resumable_file_obj(upload), upload)
    last = Storage(tmp_path)
    assert last.get_file("b", "model") == b"halfmore"
    assert last.resumable == {}


def test_a_deleted_object_stays_deleted(held, tmp_path):
    held.delete_file("b", "lease")
    later = Storage(tmp_path)
    assert later.objects.get("b", {}) == {}
    with pytest.raises(NotFound):
        later.get_file("b", "lease")


def test_wiped_stays_wiped(held, tmp_path):
    held.wipe(keep_buckets=True)
    assert (Storage(tmp_path).buckets.keys(), Storage(tmp_path).objects) == ({"b"}, {})


def test_the_listing_of_an_earlier_version_is_taken_over(held, tmp_path):
    """It was one JSON file, upstream's own, beside files of the same names as now."""
    sections = {"buckets": held.buckets, "objects": held.objects, "resumable": {}}
    folder = tmp_path / upstream.STORAGE_DIR
    (folder / ".meta").write_text(json.dumps(sections))
    (tmp_path / "listing.sqlite").unlink()
    for _ in range(2):
        assert Storage(tmp_path).get_file("b", "lease") == b"one"
        assert not (folder / ".meta").exists()


def test_each_upload_has_a_higher_generation(held):
    generations = [int(held.objects["b"]["lease"]["generation"])]
    for generation in (1, 1, 2):
        held.create_file("b", "lease", b"x", resource("lease", generation))
        generations.append(int(held.objects["b"]["lease"]["generation"]))
    assert generations == sorted(set(generations))


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=300, deadline=None)
@given(names, names)
@example("a", "A")
@example("runs/" + "x" * 200, "runs/" + "x" * 200 + "y")
@example("a/b", "a%2Fb")
def test_distinct_names_are_distinct_files(one, other):
    paths = {content_path("b", resource(name, 1)).lower() for name in (one, other)}
    assert len(paths) == len({one, other})
    assert all(path.count("/") == 1 and "/." not in path for path in paths)


def test_a_long_name_fits_a_file_system():
    assert len(content_path("b", resource("ы" * 500, 2**63)).split("/")[1]) < 255
