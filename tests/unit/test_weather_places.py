"""The seed of places: read whole, or every fault told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_jobs.data.weather.places import Place, PlacesWrong, by_place, read_places
from python_jobs.local.demo.catalog import UNITS
from tests.support.site import ROOT

HEADER = "location,latitude,longitude,time_zone\n"


def read(tmp_path: Path, text: str) -> dict[str, Place]:
    path = tmp_path / "places.csv"
    path.write_text(text)
    return read_places(path)


def test_the_shipped_places_are_those_of_the_demos_units():
    assert set(read_places(ROOT / "seeds" / "places.csv")) == set(UNITS)


def test_locations_at_one_place_share_it(tmp_path):
    rows = "a,55.751,37.619,Europe/Moscow\nb,55.749,37.62,Europe/Moscow\nc,-0.001,180,UTC\n"
    places = read(tmp_path, "﻿" + HEADER + rows)
    assert by_place(places, places) == {
        Place(55.75, 37.62, "Europe/Moscow"): ["a", "b"],
        Place(0.0, 180.0, "UTC"): ["c"],
    }
    assert f"{places['c'].latitude:g}" == "0"


def test_every_fault_is_told_with_its_line(tmp_path):
    rows = (
        "a,95.2,37.6,Europe/Moscow\n"
        "b,55.7,nan,Europe/Moscow\n"
        "c,55.7,37.6,Europe/Moskow\n"
        "d,55.7,37.6,UTC\n"
        "d,55.7,37.6,UTC\n"
        ",55.7,37.6,UTC\n"
        "e,55.7\n"
    )
    with pytest.raises(PlacesWrong) as error:
        read(tmp_path, HEADER + rows)
    assert str(error.value).split("places.csv: ")[1] == (
        "6 of 7 places cannot be used (line 2: latitude '95.2' is no number of degrees from -90 to "
        "90, line 3: longitude 'nan' is no number of degrees from -180 to 180, line 4: time_zone "
        "'Europe/Moskow' is not the name of one (Europe/London), and 3 more). Correct them."
    )


def test_a_column_that_is_missing_and_a_file_that_is(tmp_path):
    with pytest.raises(PlacesWrong, match=r"places\.csv lacks the column longitude, time_zone"):
        read(tmp_path, "location,latitude\n")
    with pytest.raises(PlacesWrong, match=r"nowhere\.csv cannot be read"):
        read_places(tmp_path / "nowhere.csv")
