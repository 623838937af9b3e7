"""Buildah, without a daemon and without privileges beyond changing root: builds, and runs tasks.

Its chroot isolation gives a process the image's files, its user and its environment, and the
machine's network, so that a task reaches emulators on loopback. It is no sandbox.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.check import tools

CHROOT = ("--isolation", "chroot")
RUN_SECONDS = 3600.0


class Failed(RuntimeError):
    """A command of buildah failed; the text is the end of what it said."""


def buildah(*arguments: str, seconds: float = RUN_SECONDS) -> str:
    """Run a command of buildah and return its stdout.

    Raises:
        tools.Missing: there is no buildah.
        Failed: it failed.
    """
    ended = subprocess.run(
        [program(), *arguments],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if ended.returncode:
        said = (ended.stdout + ended.stderr)[-3000:]
        raise Failed(f"buildah {' '.join(arguments[:2])} … ended with {ended.returncode}:\n{said}")
    return ended.stdout


def program() -> str:
    """Return the path of buildah.

    Raises:
        tools.Missing: there is none.
    """
    return tools.program("buildah", "apt-get install buildah crun fuse-overlayfs")


def exists(image: str) -> bool:
    """Say whether an image of this name is here."""
    return any(image in (one["names"] or ()) for one in json.loads(buildah("images", "--json")))


def config_of(image: str) -> dict[str, Any]:
    """Return an image's OCI configuration: User, Entrypoint, Env, Labels and the like."""
    inspected = json.loads(buildah("inspect", "--type", "image", image))
    config: dict[str, Any] = inspected["OCIv1"]["config"]
    return config


@dataclass(frozen=True)
class Ended:
    """A task that has ended.

    Attributes:
        code: its exit code; 137 where it was killed.
        out: what it wrote to stdout.
        err: what it wrote to stderr.
    """

    code: int
    out: str
    err: str


@dataclass
class Task:
    """A task at work in a container of its own, which goes with it."""

    container: str
    process: subprocess.Popen[bytes]
    folder: tempfile.TemporaryDirectory[str]

    def wait(self) -> Ended:
        """Wait for its end, and remove its container."""
        try:
            code = self.process.wait(RUN_SECONDS)
        finally:
            self.kill()
            self.process.wait()
            buildah("rm", self.container)
        out, err = (self._written(name) for name in ("out", "err"))
        self.folder.cleanup()
        return Ended(code if code >= 0 else 128 - code, out, _without_own_words(err))

    def has_said(self, text: str) -> bool:
        """Say whether it has written a text to stdout or stderr."""
        return any(text in self._written(name) for name in ("out", "err"))

    def kill(self) -> None:
        """Kill whatever runs in the container, as a machine that goes away would."""
        if self.process.poll() is not None:
            return
        for process in reversed(_descendants(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _written(self, name: str) -> str:
        return (Path(self.folder.name) / name).read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Image:
    """An image whose containers get the same environment and mounts.

    Attributes:
        name: of the image.
        environment: of every task.
        mounts: folders of this machine by folder of the container, read-only.
    """

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[Path, str] = field(default_factory=dict)

    def start(self, *command: str, **environment: str) -> Task:
        """Start a command in a fresh container, as the image's user."""
        container = buildah("from", "--pull-never", self.name).strip()
        folder = tempfile.TemporaryDirectory(prefix="shelfcast-task-")
        given = {**self.environment, **environment}
        variables = [f"{name}={value}" for name, value in given.items()]
        mounts = [f"--volume={here}:{there}:ro" for here, there in self.mounts.items()]
        written = Path(folder.name)
        with (written / "out").open("wb") as out, (written / "err").open("wb") as err:
            process = subprocess.Popen(
                [program(), "run", *CHROOT, *mounts, container, "--", "env", *variables, *command],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        return Task(container, process, folder)

    def run(self, *command: str, **environment: str) -> Ended:
        """Run a command in a fresh container to its end."""
        return self.start(*command, **environment).wait()

    def done(self, *command: str, **environment: str) -> str:
        """Run a command that must succeed, and return its stdout.

        Raises:
            Failed: with what it said.
        """
        ended = self.run(*command, **environment)
        if ended.code:
            raise Failed(f"{command[0]} … ended with {ended.code}:\n{ended.out}{ended.err}"[-3000:])
        return ended.out


@contextlib.contextmanager
def working_container(source: str) -> Iterator[str]:
    """Lend a container to be filled, and remove it afterwards."""
    container = buildah("from", "--pull-never", source).strip()
    try:
        yield container
    finally:
        buildah("rm", container)


def _environment() -> dict[str, str]:
    """Overlay storage: the default of old versions copies all files for each container."""
    return {"STORAGE_DRIVER": "overlay", **os.environ}


def _descendants(pid: int) -> Sequence[int]:
    """A process, its children and theirs, parents first."""
    found = [pid]
    for one in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
    return found


def _without_own_words(err: str) -> str:
    """Remove buildah's own lines from a failed task's stderr."""
    own = (
        "subprocess exited with status",
        "Error: exit status",
        "error running container",
        "time=",
    )
    return "\n".join(line for line in err.splitlines() if not line.startswith(own))
