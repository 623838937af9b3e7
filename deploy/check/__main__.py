"""`make deploy-check`: run the steps, say how each ended, and end with 1 where one failed.

In continuous integration (CI=true) a step that was skipped fails too, unless
SHELFCAST_DEPLOY_MAY_SKIP names it: SHELFCAST_DEPLOY_MAY_SKIP="image cycle".
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from deploy.check import container, terraform, tools
from deploy.check.steps import STEPS, Failed

State = Literal["PASSED", "FAILED", "SKIPPED"]
MAY_SKIP = "SHELFCAST_DEPLOY_MAY_SKIP"
"""Environment variable with the steps that may be skipped in continuous integration."""
FAILURES = (Failed, terraform.Failed, container.Failed, subprocess.SubprocessError, OSError)


@dataclass(frozen=True)
class Outcome:
    """How a step ended, and the line that it ended with."""

    name: str
    state: State
    seconds: float
    text: str


def run_step(name: str) -> Outcome:
    """Run a step; what is wrong and what is missing become its outcome."""
    tools.say(f"▸ {name}")
    start = time.monotonic()
    state, text = _state_and_text(name)
    outcome = Outcome(name, state, time.monotonic() - start, text)
    tools.say(f"  {state}: {text}")
    return outcome


def _state_and_text(name: str) -> tuple[State, str]:
    try:
        return "PASSED", STEPS[name]()
    except tools.Missing as missing:
        return "SKIPPED", str(missing)
    except FAILURES as failure:
        return "FAILED", str(failure)


def main(*names: str) -> int:
    """Run steps (all, unless some are named) and print a table of them.

    Returns:
        0; 1 where a step failed, or was skipped where it may not be; 2 where a name is no step's.
    """
    if unknown := set(names) - set(STEPS):
        tools.say(f"no such step: {', '.join(sorted(unknown))}. There are {', '.join(STEPS)}.")
        return 2
    outcomes = [run_step(name) for name in STEPS if not names or name in names]
    tools.say("")
    for one in outcomes:
        first = one.text.splitlines()[0] if one.text else ""
        tools.say(f"{one.state:8} {one.name:10} {one.seconds:7.1f} s  {first}")
    if refused := skipped_against_the_rules(outcomes):
        tools.say(
            f"not checked: {', '.join(refused)}. In CI that fails, unless {MAY_SKIP} names it."
        )
    return int(bool(refused) or any(one.state == "FAILED" for one in outcomes))


def skipped_against_the_rules(
    outcomes: Iterable[Outcome], environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Return the steps that were skipped in continuous integration and may not be."""
    if environment.get("CI", "").lower() not in ("true", "1"):
        return []
    allowed = environment.get(MAY_SKIP, "").replace(",", " ").split()
    return [one.name for one in outcomes if one.state == "SKIPPED" and one.name not in allowed]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
