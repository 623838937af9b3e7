"""The command line in a process of its own, as a person or Cloud Run starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import IO

from tests.support.site import ROOT, Site

PREPARE = """
import os, signal, sys
import tests.support.families
from python_jobs.infra.warehouse import Warehouse
from tests.support.data_tests import leave_out_data_tests

leave_out_data_tests()

kill_after = int(os.environ.get("TEST_KILL_AFTER_LOADS", "0"))
kill_before = int(os.environ.get("TEST_KILL_BEFORE_LOAD", "0"))
append, loads = Warehouse.append_to, []

def counted(self, *arguments):
    if len(loads) + 1 == kill_before:
        os.kill(os.getpid(), signal.SIGKILL)
    wrote = append(self, *arguments)
    loads.append(arguments[0])
    if len(loads) == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)
    return wrote

if kill_after or kill_before:
    Warehouse.append_to = counted
"""
COMMAND_LINE = """
from python_jobs.cli.app import main
main(sys.argv[1:], prog_name="shelfcast")
"""


@dataclass
class Child:
    """A command at work. It writes to files: workers that outlive a killed parent hold no pipe."""

    process: subprocess.Popen[str]
    arguments: tuple[str, ...]
    out: IO[str]
    err: IO[str]

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end, and end the workers that a killed command has left."""
        try:
            code = self.process.wait(timeout=300)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(
            self.arguments, code, _written(self.out), _written(self.err)
        )


def start(site: Site, *arguments: str, program: str = COMMAND_LINE, **environment: str) -> Child:
    """Start `shelfcast`, or another program, for a site.

    A command has no pool of processes, whose start costs more than all its work on a few series,
    unless it is given `--jobs`.
    """
    if program == COMMAND_LINE:
        _parse_for(site)
        arguments = arguments if "--jobs" in arguments else ("--jobs", "1", *arguments)
    out, err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARE + program, *arguments],
        cwd=ROOT,
        env={**os.environ, **site.environment(), "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        text=True,
        start_new_session=True,
    )
    return Child(process, arguments, out, err)


def _parse_for(site: Site) -> None:
    """Parse what children would each parse whole: here most of it is known (`dbt_memory`).

    Where the site has changed since, a child parses the changes, as in a deployment.
    """
    dbt = site.context().dbt
    if not (dbt.target_path / "partial_parse.msgpack").is_file():
        dbt._invoke(None, "parse")


def shelfcast(site: Site, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `shelfcast` for a site to its end."""
    return start(site, *arguments, **environment).wait()


def _written(file: IO[str]) -> str:
    with file:
        file.seek(0)
        return file.read()


def was_killed(child: subprocess.CompletedProcess[str]) -> bool:
    return child.returncode == -signal.SIGKILL
