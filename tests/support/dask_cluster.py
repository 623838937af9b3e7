"""A Dask scheduler and its workers on loopback, in processes of their own, for a test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

from tests.support.site import ROOT

START_SECONDS = 60


@contextmanager
def dask_cluster(
    folder: Path, n_workers: int, tls: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """Lend a cluster on free ports; its workers have two BLAS threads.

    Args:
        folder: of its files.
        n_workers: how many.
        tls: certificate and key of all, signed by itself: at tls://host:port; else dask://host:port.
    """
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    if tls is not None:
        common += ["--protocol", "tls", "--tls-ca-file", str(tls[0])]
        common += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])]
    worker = ["worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    commands = [["scheduler", "--port", "0"], *[worker] * n_workers]
    log = folder / "cluster.log"
    started: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [_end(process) for process in reversed(started)])
        output = stack.enter_context(log.open("wb"))
        for command in commands:
            started.append(_start([*command, *common], output.fileno()))
            _wait_for(file, started, log)
        address = json.loads(file.read_text())["address"]
        if n_workers and tls is None:
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(n_workers, timeout=START_SECONDS)
        yield address.replace("tcp://", "dask://")


def _start(arguments: list[str], output: int) -> subprocess.Popen[bytes]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        cwd=ROOT,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def _wait_for(file: Path, started: list[subprocess.Popen[bytes]], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not (file.is_file() and file.stat().st_size):
        alive = all(process.poll() is None for process in started)
        assert alive and time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def whereabouts(_: object) -> tuple[int, set[int]]:
    """The process, and how many threads its BLAS and OpenMP libraries may use."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.linalg.norm(np.eye(2))
    time.sleep(0.3)  # so that no worker does all of it
    return os.getpid(), {library["num_threads"] for library in threadpool_info()}


def refuse(x: object) -> None:
    raise KeyError(f"chunk {x}")
