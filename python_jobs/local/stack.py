"""Start, stop and watch the laptop's cloud: one BigQuery and one Cloud Storage emulator.

`start` keeps both running in the background over a folder, until `stop`; `ephemeral` lends both to
a test and ends them with it. Both listen on 127.0.0.1 only.

A server holds a lock on a file for as long as it lives, whatever ends it. The lock, and no process
id that another process may have by now, decides what is running.
"""

import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from python_jobs.local.ports import HOST, Endpoints, Ports, ServerName, answers, free_ports, is_free

START_SECONDS = 60.0
STOP_SECONDS = 15.0
START_ATTEMPTS = 3
LOG_LINES = 20
_ADDRESS_TAKEN = "address already in use"

State = Literal["running", "stopped", "stale"]


class StackError(RuntimeError):
    """A server did not start or stop; the text ends with what to do."""


@dataclass(frozen=True)
class ServerStatus:
    """The state of one server.

    Attributes:
        state: `stale` means that it was not stopped and yet is gone: killed, or a restart of the
            machine.
        pid: its process, or the one that it last was; None where it never ran or was stopped.
        ports: its ports, empty where it never ran.
        log: where it writes what goes wrong.
    """

    name: ServerName
    state: State
    pid: int | None
    ports: tuple[int, ...]
    log: Path


@dataclass(frozen=True)
class Status:
    """The state of a stack; `endpoints` is None unless both servers run, `data_bytes` on disk."""

    servers: tuple[ServerStatus, ...]
    endpoints: Endpoints | None
    data_bytes: int


_SERVERS: tuple[ServerName, ...] = ("bigquery", "storage")
# Servers that this process started: a parent collects its dead, and holds their lifelines.
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def start(state_dir: Path) -> Endpoints:
    """Start the stopped servers of a folder, on their earlier ports where these are free.

    Raises:
        StackError: a server ended, or did not answer in time; with the end of its log.
    """
    stack = _Stack(state_dir)
    stack.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stack.folder.chmod(0o700)
    with _locked(stack.folder / "start.lock"):
        return stack.start_missing()


def stop(state_dir: Path) -> None:
    """Stop both servers and keep their data; does nothing where none runs.

    Raises:
        StackError: a server outlives a kill.
    """
    stack = _Stack(state_dir)
    for name in _SERVERS:
        stack.end(name, signal.SIGTERM)
    stack.forget_pids()


def status(state_dir: Path) -> Status:
    """Say what runs over a folder; changes nothing."""
    stack = _Stack(state_dir)
    servers = tuple(stack.status_of(name) for name in _SERVERS)
    runs = all(server.state == "running" for server in servers)
    ports = stack.ports()
    return Status(servers, ports.endpoints() if runs and ports else None, stack.data_bytes())


def kill(state_dir: Path, name: ServerName) -> None:
    """Kill one server as a crash would (kill -9); `start` brings it back on its data and ports."""
    _Stack(state_dir).end(name, signal.SIGKILL)


@contextlib.contextmanager
def ephemeral(persistent_bigquery: bool = False) -> Iterator[Endpoints]:
    """Lend both servers on free ports and a temporary folder, and end them afterwards.

    They end with this process too, even after a kill -9.

    Args:
        persistent_bigquery: keep BigQuery's data on disk, not in memory, for tests of a crash.
    """
    with ephemeral_folder(persistent_bigquery) as folder:
        ports = _Stack(folder).ports()
        assert ports is not None
        yield ports.endpoints()


@contextlib.contextmanager
def ephemeral_folder(persistent_bigquery: bool = False) -> Iterator[Path]:
    """Lend both servers like `ephemeral`, and yield their folder, for `kill` and `status`."""
    folder = Path(tempfile.mkdtemp(prefix="shelfcast-"))
    stack = _Stack(folder)
    stack.write(manner={"in_memory": not persistent_bigquery, "ends_with_parent": True})
    try:
        stack.start_missing()
        yield folder
    finally:
        for name in _SERVERS:
            stack.end(name, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


class _Stack:
    """The servers of one folder, and what is written about them there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def start_missing(self) -> Endpoints:
        _require_emulators()
        for _ in range(START_ATTEMPTS - 1):
            try:
                return self._try_to_start()
            except StackError:
                # Another process may take a port between its choice and its use.
                if not any(_ADDRESS_TAKEN in self._logged(name).lower() for name in _SERVERS):
                    raise
        return self._try_to_start()

    def _try_to_start(self) -> Endpoints:
        missing = [name for name in _SERVERS if not self._is_running(name)]
        ports = self._choose_ports(missing)
        try:
            for name in missing:
                self._launch(name, ports)
            for name in _SERVERS:
                self._wait_until_it_answers(name, ports)
        except StackError:
            for name in missing:
                self.end(name, signal.SIGTERM)
            raise
        return ports.endpoints()

    def status_of(self, name: ServerName) -> ServerStatus:
        pid, ports = self._read("pids").get(name), self.ports()
        state: State = "running" if self._is_running(name) else "stale" if pid else "stopped"
        return ServerStatus(name, state, pid, ports.of(name) if ports else (), self._log(name))

    def ports(self) -> Ports | None:
        ports = self._read("ports")
        return Ports(**ports) if ports else None

    def data_bytes(self) -> int:
        files = (path for name in _SERVERS for path in self._data(name).rglob("*"))
        return sum(path.stat().st_size for path in files if path.is_file())

    def end(self, name: ServerName, how: signal.Signals) -> None:
        """Signal a server and wait for its lock to be free; then kill it.

        Raises:
            StackError: it lives on.
        """
        pid = self._read("pids").get(name)
        for sign in (how, signal.SIGKILL):
            if pid is None or not self._is_running(name):
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
            self._wait_until_it_ends(name)
        if self._is_running(name):
            raise StackError(f"{name}: process {pid} does not end. Kill it by hand.")
        if pid in _CHILDREN:
            _CHILDREN.pop(pid).communicate()

    def forget_pids(self) -> None:
        if self._state_file.exists():
            self.write(pids={})

    @property
    def _state_file(self) -> Path:
        return self.folder / "stack.json"

    def _read(self, section: str) -> dict[str, int]:
        """Return one of `pids`, `ports` and `manner` (how servers of this folder are started)."""
        try:
            written: dict[str, int] = json.loads(self._state_file.read_text()).get(section, {})
        except FileNotFoundError:
            return {}
        return written

    def write(self, **sections: dict[str, int]) -> None:
        kept = {name: self._read(name) for name in ("pids", "ports", "manner")}
        part = self._state_file.with_suffix(".part")
        part.write_text(json.dumps({**kept, **sections}, indent=2))
        part.replace(self._state_file)

    def _log(self, name: ServerName) -> Path:
        return self.folder / f"{name}.log"

    def _data(self, name: ServerName) -> Path:
        return self.folder / name

    def _lock(self, name: ServerName) -> Path:
        return self.folder / f"{name}.lock"

    def _is_running(self, name: ServerName) -> bool:
        try:
            with self._lock(name).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _choose_ports(self, missing: list[ServerName]) -> Ports:
        """Keep the ports of running servers, and earlier ports that are free."""
        earlier = self.ports()
        chosen: list[int] = []
        for name in _SERVERS:
            kept = earlier.of(name) if earlier else ()
            if name not in missing or (kept and all(map(is_free, kept))):
                chosen += kept
            else:
                chosen += free_ports(2 if name == "bigquery" else 1)
        return Ports(*chosen)

    def _launch(self, name: ServerName, ports: Ports) -> None:
        """Start a server that inherits the lock on its file, and write down its process."""
        self._data(name).mkdir(parents=True, exist_ok=True, mode=0o700)
        log, lock = self._log(name), self._lock(name)
        with log.open("wb") as output, lock.open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            ends_with_parent = self._read("manner").get("ends_with_parent")
            process = subprocess.Popen(
                self._command(name, ports),
                stdin=subprocess.PIPE if ends_with_parent else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                pass_fds=(held.fileno(),),
                start_new_session=True,
                umask=0o077,
            )
        _CHILDREN[process.pid] = process
        self.write(pids={**self._read("pids"), name: process.pid}, ports=asdict(ports))

    def _command(self, name: ServerName, ports: Ports) -> list[str]:
        from emulators import commands

        manner, data = self._read("manner"), self._data(name)
        ending = bool(manner.get("ends_with_parent"))
        if name == "storage":
            return commands.storage(HOST, ports.storage, data, ends_with_parent=ending)
        tables = None if manner.get("in_memory") else data
        return commands.bigquery(
            HOST, ports.bigquery, ports.bigquery_grpc, tables, ends_with_parent=ending
        )

    def _environment(self) -> dict[str, str]:
        from emulators import commands

        uploads = self.folder / "uploads"
        uploads.mkdir(exist_ok=True, mode=0o700)
        return commands.environment(os.environ, uploads)

    def _wait_until_it_answers(self, name: ServerName, ports: Ports) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            # In this order: what answers on the port of a dead server is someone else's.
            has_answered = answers(name, ports)
            if not self._is_running(name):
                raise StackError(self._why(name, "ended while it started"))
            if has_answered:
                return
            time.sleep(0.05)
        raise StackError(self._why(name, f"did not answer within {START_SECONDS:.0f} seconds"))

    def _wait_until_it_ends(self, name: ServerName) -> None:
        end = time.monotonic() + STOP_SECONDS
        while self._is_running(name) and time.monotonic() < end:
            time.sleep(0.02)

    def _logged(self, name: ServerName) -> str:
        return self._log(name).read_text(errors="replace")

    def _why(self, name: ServerName, what: str) -> str:
        last = self._logged(name).splitlines()[-LOG_LINES:]
        tail = "\n".join(line[:500] for line in last) or "(its log is empty)"
        return (
            f"{name} emulator {what}. The end of {self._log(name)}:\n{tail}\n"
            f"Stop what uses {self._data(name)}, or move that folder away, and start again."
        )


def _require_emulators() -> None:
    """Check that the emulators are there; a deployment has none.

    Raises:
        StackError: they are not.
    """
    if importlib.util.find_spec("emulators") is None:
        raise StackError(
            "the emulators are not part of this installation. Work in a checkout of Shelfcast, "
            "with `make setup`."
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time start servers over a folder; the next one finds them running."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
