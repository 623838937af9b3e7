"""What a killed storage emulator leaves on disk, and what it makes of it afterwards."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from python_jobs.local.storage_emulator import Storage, _path


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


def test_an_upload_killed_before_its_listing_left_the_object_before_it(held, tmp_path, monkeypatch):
    def die(*_args: object) -> None:
        raise Killed

    monkeypatch.setattr(held, "_write_config_to_file", die)
    with pytest.raises(Killed):
        held.create_file("b", "lease", b"two", resource("lease", 2))
    assert Storage(tmp_path).get_file("b", "lease") == b"one"


def test_an_upload_killed_after_its_listing_is_there(held, tmp_path, monkeypatch):
    def die(*_args: object) -> None:
        raise Killed

    monkeypatch.setattr(held._store, "remove_file", die)
    with pytest.raises(Killed):
        held.create_file("b", "lease", b"two", resource("lease", 2))
    assert Storage(tmp_path).get_file("b", "lease") == b"two"


def test_a_listing_killed_half_way_is_the_one_before_it(held, tmp_path, monkeypatch):
    def die(*_args: object) -> None:
        raise Killed

    monkeypatch.setattr("pathlib.Path.replace", die)
    with pytest.raises(Killed):
        held.create_file("b", "other", b"x", resource("other", 2))
    assert Storage(tmp_path).objects["b"].keys() == {"lease"}


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
    paths = {_path("b", resource(name, 1)).lower() for name in (one, other)}
    assert len(paths) == len({one, other})
    assert all(path.count("/") == 1 and "/." not in path for path in paths)


def test_a_long_name_fits_a_file_system():
    assert len(_path("b", resource("ы" * 500, 2**63)).split("/")[1]) < 255
