"""`python -m tests.faults.hostile`: many hostile inputs, counted by what became of them.

Each runs in a process of its own, with bounded time and memory. Exits with 1 where any ends in a
traceback or does not end.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import click

from tests.faults.hostile.cases import AREAS, cases
from tests.faults.hostile.classes import OUTCOMES, Result, judged_apart

SHOWN = 20


@click.command()
@click.option("--seed", default=1, help="Of all inputs.")
@click.option("--number", default=2400, type=click.IntRange(1), help="How many inputs.")
@click.option("--area", type=click.Choice(list(AREAS)), multiple=True, help="Of these areas only.")
@click.option("--minutes", default=20.0, help="Stop after so long, and say how far it came.")
def main(seed: int, number: int, area: tuple[str, ...], minutes: float) -> None:
    """Run the inputs and print how many there were of each class."""
    results: list[Result] = []
    until = time.monotonic() + 60 * minutes
    for case in cases(seed, number, area or tuple(AREAS)):
        results.append(judged_apart(case))
        if time.monotonic() > until:
            break
    faults = [one for one in results if one.is_fault]
    for one in faults[:SHOWN]:
        click.echo(f"{one}\n")
    click.echo(_table(results))
    if faults or len(results) < number:
        click.echo(f"{len(faults)} faults; {len(results)} of {number} inputs were tried")
        sys.exit(1)


def _table(results: list[Result]) -> str:
    counts = Counter((one.case.area, one.outcome) for one in results)
    areas = sorted({one.case.area for one in results})
    lines = [f"{'area':<18}" + "".join(f"{one:>18}" for one in OUTCOMES)]
    for area in areas:
        lines.append(f"{area:<18}" + "".join(f"{counts[area, one]:>18}" for one in OUTCOMES))
    totals = Counter(one.outcome for one in results)
    lines.append(f"{'all':<18}" + "".join(f"{totals[one]:>18}" for one in OUTCOMES))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
