"""The tools of `make deploy-check`, and what a check says where one is missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = Path(os.environ.get("SHELFCAST_DEPLOY_TOOLS", ROOT / ".venv-deploy"))
"""The environment that `make deploy-tools` makes of requirements.lock beside this file."""


class Missing(RuntimeError):
    """A check cannot run here; the text says what is missing and what to do."""


def tool(name: str) -> str:
    """Return the path of a tool of the checks' own environment.

    Raises:
        Missing: the environment was not made, or lacks the tool.
    """
    path = VENV / "bin" / name
    if not path.exists():
        raise Missing(f"{name} is not in {VENV.name}: `make deploy-tools` puts it there")
    return str(path)


def program(name: str, advice: str) -> str:
    """Return the path of a program of the machine.

    Raises:
        Missing: it is not on the PATH; with the advice.
    """
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not on the PATH: {advice}")
    return path


def say(what: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()
