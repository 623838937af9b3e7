"""A Dask cluster does what the local pool does, and says so where it cannot."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest

from python_jobs.families.base import FamilySettings
from python_jobs.fitting import pool
from python_jobs.fitting.pool import cluster, fit_local, predict_local, run_chunks
from python_jobs.infra.errors import ConnectionFailed, SettingsError
from tests.support import golden
from tests.support.commands import error_of, shelfcast
from tests.support.dask_cluster import dask_cluster, refuse, whereabouts
from tests.support.families import LevelFamily
from tests.support.site import Site

N_SERIES = 70


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dask_cluster(tmp_path_factory.mktemp("dask"), n_workers=2) as address:
        yield address


@pytest.fixture
def panel() -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "series_id": np.repeat([f"s{n:03}" for n in range(N_SERIES)], 20),
            "ds": np.tile(pd.date_range("2026-01-05", periods=20, freq="7D"), N_SERIES),
            "y": random.gamma(2, 10, 20 * N_SERIES),
        }
    )


@pytest.fixture
def family() -> LevelFamily:
    return LevelFamily(FamilySettings("week", 2, 52))


def test_the_cluster_fits_and_predicts_what_the_local_pool_does(address, panel, family):
    def both() -> tuple[object, pd.DataFrame]:
        fitted = fit_local(family, panel, 2, lambda done, n: seen.append((done, n)))
        models = {name: fit.model for name, fit in fitted.models.items()}
        future = panel[["series_id"]].assign(model_version=panel["series_id"], promo_share=0.5)
        return fitted, predict_local(family, models, future, 2)

    seen: list[tuple[int, int]] = []
    fitted, forecast = both()
    seen.clear()
    with cluster(address):
        fitted_there, forecast_there = both()
    assert fitted_there == fitted
    assert list(fitted_there.models) == list(fitted.models)
    pd.testing.assert_frame_equal(forecast_there, forecast, check_exact=True)
    assert seen == sorted(seen)
    assert seen[-1] == (N_SERIES, N_SERIES)


def test_both_workers_work_with_one_thread_each(address):
    with cluster(address):
        found = run_chunks(whereabouts, list(range(8)), 1)
    processes = {process for process, _ in found}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert [threads for _, threads in found] == [{1}] * 8


def test_an_error_in_a_worker_reaches_the_caller(address):
    with cluster(address), pytest.raises(KeyError, match=r"chunk [01]"):
        run_chunks(refuse, [0, 1], 2)


def test_without_an_address_the_work_stays_here():
    with cluster(None):
        assert run_chunks(abs, [-1], 1) == [1]


@pytest.mark.parametrize("address", ["tcp://h:1", "dask://h", "tls://h:0", "dask://h:99999", "h:1"])
def test_an_address_that_is_none_is_refused(address):
    with (
        pytest.raises(SettingsError, match=r"names no cluster \(tls://host:port; "),
        cluster(address),
    ):
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(cert), "-subj", "/CN=127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def test_a_cluster_with_certificates_does_the_work(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    cert, key = map(str, certificate)
    with dask_cluster(tmp_path, n_workers=1, tls=certificate) as address:
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises(SettingsError, match="needs certificates"), cluster(address):
            pass
        tls = "distributed.comm.tls"
        given = {f"{tls}.ca-file": cert, f"{tls}.client.cert": cert, f"{tls}.client.key": key}
        with dask.config.set(given), cluster(address):
            assert run_chunks(abs, [-1, -2], 1) == [1, 2]


@pytest.mark.parametrize("host", ["scheduler", "10.0.0.7", "127.0.0.1.example"])
def test_code_is_not_sent_in_the_clear(host: str) -> None:
    with pytest.raises(SettingsError, match="in the clear"), cluster(f"dask://{host}:8786"):
        pass


@pytest.mark.parametrize("scheme", ["dask", "tls"])
def test_a_job_on_cloud_run_runs_nobody_s_code(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_RUN_JOB", "train-models")
    refused = pytest.raises(SettingsError, match="refused on Cloud Run")
    with refused, cluster(f"{scheme}://127.0.0.1:8786"):
        pass


def test_a_scheduler_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with (
        pytest.raises(ConnectionFailed, match=f"no Dask scheduler answers at dask://127.*{port}"),
        cluster(f"dask://127.0.0.1:{port}"),
    ):
        pass


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_something_else_that_listens_is_no_scheduler(monkeypatch, answer):
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        asked = threading.Thread(target=lambda: talk(stranger.accept()[0], answer), daemon=True)
        asked.start()
        address = f"dask://127.0.0.1:{stranger.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match="no Dask scheduler answers"), cluster(address):
            pass
        asked.join(30)
        assert not asked.is_alive(), "the connection was left open"


def talk(connection: socket.socket, answer: bytes) -> None:
    """Answer whatever is said, until the other side hangs up."""
    with connection, contextlib.suppress(ConnectionError):
        connection.sendall(answer)
        while connection.recv(1024):
            pass


def test_a_cluster_without_workers_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 3)
    with (
        dask_cluster(tmp_path, n_workers=0) as empty,
        pytest.raises(ConnectionFailed, match="has no worker"),
        cluster(empty),
    ):
        pass


def test_without_dask_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(SettingsError, match=r"pip install 'shelfcast\[dask\]'"),
        cluster("dask://127.0.0.1:8786"),
    ):
        pass


@pytest.mark.parametrize(
    "command",
    [
        ("train",),
        ("predict",),
        ("run",),
        ("replay", "--from", str(golden.FIRST), "--to", str(golden.SECOND)),
        ("backtest", "--origins", "2"),
    ],
)
def test_every_command_takes_a_cluster(make_site: Callable[[], Site], command):
    """Before anything else is done: the address is wrong, and the site is empty."""
    named = shelfcast(make_site(), *command, "--cluster", "nowhere")
    assert (named.exit_code, error_of(named)) == (
        2,
        "'nowhere' names no cluster (tls://host:port; on this machine dask://host:port).",
    )
    told = shelfcast(make_site(), *command, SHELFCAST_CLUSTER="nowhere")
    assert error_of(told) == error_of(named)
