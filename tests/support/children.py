"""The command line in a process of its own, as a person or Cloud Run starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.support.site import ROOT, Site

PREPARE = """
import os, signal, sys
import tests.support.families
from python_jobs.cli import main
from python_jobs.warehouse import Warehouse

kill_after = int(os.environ.get("TEST_KILL_AFTER_LOADS", "0"))
append, loads = Warehouse.append_to, []

def counted(self, *arguments):
    wrote = append(self, *arguments)
    loads.append(arguments[0])
    if len(loads) == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)
    return wrote

if kill_after:
    Warehouse.append_to = counted
main(sys.argv[1:], prog_name="shelfcast")
"""


def start(site: Site, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `shelfcast` for a site."""
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE, *arguments],
        cwd=ROOT,
        env={**os.environ, **site.environment(), "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shelfcast(site: Site, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `shelfcast` for a site to its end."""
    child = start(site, *arguments, **environment)
    out, err = child.communicate(timeout=300)
    return subprocess.CompletedProcess(arguments, child.returncode, out, err)


def was_killed(child: subprocess.CompletedProcess[str]) -> bool:
    return child.returncode == -signal.SIGKILL
