"""The hostile inputs of a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from tests.faults.hostile import areas, commands
from tests.faults.hostile.classes import Case

AREAS: dict[str, areas.Maker] = {
    "settings": areas.settings,
    "commands": commands.commands,
    "environments": commands.environments,
    "files": areas.files,
    "seeds": areas.seeds,
    "models": areas.models,
    "answers": areas.answers,
    "leases": areas.leases,
}


def cases(seed: int, number: int, names: Sequence[str] = tuple(AREAS)) -> Iterator[Case]:
    """`number` inputs, of each area in its turn; the same for the same seed."""
    randoms = {name: Random(f"{seed} {name}") for name in names}
    for position in range(number):
        name = names[position % len(names)]
        yield AREAS[name](randoms[name])
