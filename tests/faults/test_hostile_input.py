"""Hostile inputs of every area: accepted or refused in words. `make faults` tries many more."""

from __future__ import annotations

import os
import signal
import warnings
from collections import Counter
from collections.abc import Callable

import pytest

from python_jobs.infra.errors import ShelfcastError
from tests.faults.hostile import classes
from tests.faults.hostile.cases import AREAS, cases
from tests.faults.hostile.classes import Case, judged, judged_apart

EACH = 20


@pytest.mark.parametrize("area", AREAS)
def test_no_hostile_input_ends_in_a_traceback_or_never(area: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = [judged(case) for case in cases(7, EACH, (area,))]
    assert [str(one) for one in results if one.is_fault] == []
    outcomes = Counter(one.outcome for one in results)
    assert sum(outcomes.values()) == EACH
    assert outcomes["refused in words"] > 0


def test_a_seed_makes_the_same_inputs_again() -> None:
    first, again, other = ([one.shown for one in cases(seed, 40)] for seed in (1, 1, 2))
    assert first == again != other


def fails() -> None:
    raise KeyError("x")


def says_nothing() -> None:
    raise ShelfcastError(" ")


def refuses() -> None:
    raise ShelfcastError("no")


def never_ends() -> None:
    while True:
        pass


def is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def takes_all_memory() -> None:
    b"x" * (classes.MEMORY * 2)


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (fails, "traceback"),
        (says_nothing, "traceback"),
        (is_killed, "traceback"),
        (takes_all_memory, "traceback"),
        (never_ends, "hang"),
        (refuses, "refused in words"),
        (list, "accepted"),
    ],
)
def test_what_becomes_of_an_input_is_noticed(
    run: Callable[[], None], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "LIMIT_S", 0.3)
    assert judged_apart(Case("test", run.__name__, run)).outcome == outcome
