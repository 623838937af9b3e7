"""Local families over many series: one process pool, or a Dask cluster; one thread a worker.

A chunk is a whole number of series, so nothing in the result depends on how many workers there
are, how series are chunked, or which chunk ends first.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs, parallel_config

from python_jobs.families.base import Family, Fitted, FittedModel, Tuned
from python_jobs.families.frames import require_columns, series_starts
from python_jobs.infra.errors import ConnectionFailed, SettingsError, ShelfcastError
from python_jobs.infra.logs import in_workers

ChunkT = TypeVar("ChunkT")
ResultT = TypeVar("ResultT")
ModelT = TypeVar("ModelT")

OnProgress = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""

MAX_SERIES_PER_CHUNK = 32
"""Enough to outweigh sending a chunk, few enough that progress moves every second or two."""

CONNECT_SECONDS = 5
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

_CLIENT: ContextVar[Any] = ContextVar("_CLIENT", default=None)


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Let a Dask cluster do within what the local pool does otherwise.

    Args:
        address: of the scheduler: `tls://host:port`, with the certificates of Dask's own
            configuration, or on this machine `dask://localhost:port`; None leaves the work to
            this machine. Its workers need this version of Shelfcast, and one thread each is best
            (`--nthreads 1`).

    Raises:
        SettingsError: the address is no such one, Dask is not installed or has no certificates,
            or this is a job on Cloud Run: what a cluster sends is run as the job's account.
        ConnectionFailed: no scheduler answers there within seconds, or it has no worker.
    """
    if not address:
        yield
        return
    client = _connected(address)
    token = _CLIENT.set(client)
    try:
        yield
    finally:
        _CLIENT.reset(token)
        client.close()


def _connected(address: str) -> Any:  # noqa: ANN401 - the client library is untyped
    match = re.fullmatch(r"(dask|tls)://([^/:@\s]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})/?", address)
    if match is None or not 0 < int(match[3]) < 65536:
        raise SettingsError(
            f"'{address}' names no cluster (tls://host:port; on this machine dask://host:port)."
        )
    _require_private(address, match[1], match[2])
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise SettingsError(
            f"--cluster {address} needs Dask: pip install 'shelfcast[dask]'."
        ) from error
    scheduler = f"{'tls' if match[1] == 'tls' else 'tcp'}://{match[2]}:{match[3]}"
    security = Security()  # of Dask's own configuration
    certificates = security.get_tls_config_for_role("client")
    if match[1] == "tls" and not (certificates["ca_file"] and certificates["cert"]):
        raise SettingsError(
            f"--cluster {address} needs certificates. Name them as Dask reads them: "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__TLS__CLIENT__CERT and …__TLS__CLIENT__KEY."
        )
    try:
        asyncio.run(_greet(scheduler, security))
        client = Client(scheduler, security=security, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, MemoryError, ValueError) as error:
        raise ConnectionFailed(
            f"no Dask scheduler answers at {address} ({type(error).__name__}). Start it "
            "(`dask scheduler`), or leave --cluster and SHELFCAST_CLUSTER out."
        ) from error
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        client.close()
        raise ConnectionFailed(
            f"the Dask cluster at {address} has no worker. Start some: "
            "`dask worker tcp://host:port --nthreads 1`."
        ) from error
    return client


def _require_private(address: str, scheme: str, host: str) -> None:
    """Check that nobody can read or replace what goes to a cluster and comes from it: pickles.

    Raises:
        SettingsError: it would travel in the clear, or run as the account of a job on Cloud Run.
    """
    if os.environ.get("CLOUD_RUN_JOB"):
        raise SettingsError(
            f"--cluster {address} is refused on Cloud Run: what a cluster sends back is code, "
            "which would run as this job's account. Use more tasks "
            "(docs/decisions/one-job-of-n-tasks.md)."
        )
    if scheme == "dask" and host not in LOOPBACK:
        raise SettingsError(
            f"--cluster {address} would send code in the clear. Start the cluster with "
            f"certificates and name it tls://{host}:…; without them only on this machine (dask://localhost:…)."
        )


async def _greet(scheduler: str, security: Any) -> None:  # noqa: ANN401 - untyped library
    """Shake hands and leave: `Client` would wait for ever for what listens and is no scheduler.

    Such a one says nothing (TimeoutError), or what reads as a message of exabytes (MemoryError).
    """
    from distributed.comm.core import connect

    arguments = security.get_connection_args("client")
    greeting = connect(scheduler, timeout=CONNECT_SECONDS, **arguments)
    comm = await asyncio.wait_for(greeting, CONNECT_SECONDS)
    comm.abort()


def run_chunks(
    function: Callable[[ChunkT], ResultT],
    chunks: Sequence[ChunkT],
    n_jobs: int,
    on_progress: OnProgress | None = None,
) -> list[ResultT]:
    """Apply a function to each chunk in a pool of processes with one thread each.

    Within `cluster`, the cluster's workers are the pool, all of them.

    Args:
        function: picklable, and so is what it takes and returns.
        chunks: what to apply it to.
        n_jobs: processes; 1 stays in this one, -1 is one a core.
        on_progress: called in this process after each chunk, with chunks done and their number.

    Returns:
        One result a chunk, in their order.

    Raises:
        Exception: whatever the function raised first; the rest is then given up.
    """
    results: list[ResultT] = []
    client = _CLIENT.get()
    task = in_workers(function) if client is None else partial(_with_one_thread, function)
    n_jobs = 1 if len(chunks) == 1 else n_jobs  # starting processes for one chunk is waste
    with _backend(client):
        pool = Parallel(n_jobs=n_jobs if client is None else -1, return_as="generator")
        for result in pool(delayed(task)(chunk) for chunk in chunks):
            results.append(result)
            if on_progress is not None:
                on_progress(len(results), len(chunks))
    return results


@contextmanager
def _backend(client: Any) -> Iterator[None]:  # noqa: ANN401 - the client library is untyped
    """joblib's pool of processes, or its Dask backend, where a worker may die."""
    if client is None:
        with parallel_config(backend="loky", inner_max_num_threads=1, max_nbytes=None):
            yield
        return
    from distributed import KilledWorker

    try:
        with parallel_config(backend="dask", client=client):
            yield
    except KilledWorker as error:
        raise ShelfcastError(
            f"the Dask cluster's workers die of the work: {error}. Give them more memory, or leave "
            "--cluster out."
        ) from error


def _with_one_thread(function: Callable[[ChunkT], ResultT], chunk: ChunkT) -> ResultT:
    """On a cluster there is a worker a core already; BLAS and OpenMP must not add theirs."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return function(chunk)


def fit_local(
    family: Family[ModelT],
    panel: pd.DataFrame,
    n_jobs: int = -1,
    on_progress: OnProgress | None = None,
    tuned: Tuned | None = None,
) -> Fitted[ModelT]:
    """Fit a local family to every series of a panel.

    Args:
        family: of scope "local", picklable.
        panel: as `Family.fit` takes it.
        n_jobs: processes.
        on_progress: called with series done and their number.
        tuned: as `Family.fit` takes it; each worker gets the segments of its series only.

    Returns:
        As `family.fit(panel, tuned=tuned)`, in the panel's order.

    Raises:
        ValueError: the family is global, or the panel is not as `Family.fit` asks.
    """
    chunks = _series_chunks(family, panel, "panel", n_jobs)
    with_tuned = [(chunk, _tuned_of(chunk, tuned)) for chunk in chunks]
    parts = run_chunks(
        partial(_fit_chunk, family), with_tuned, n_jobs, _count_series(chunks, on_progress)
    )
    models: dict[str, FittedModel[ModelT]] = {}
    failures: dict[str, str] = {}
    for part in parts:
        models |= part.models
        failures |= part.failures
    tables = [part.coefficients for part in parts if part.coefficients is not None]
    return Fitted(models, failures, pd.concat(tables, ignore_index=True) if tables else None)


def _fit_chunk(family: Family[ModelT], chunk: tuple[pd.DataFrame, Tuned | None]) -> Fitted[ModelT]:
    return family.fit(chunk[0], tuned=chunk[1])


def _tuned_of(chunk: pd.DataFrame, tuned: Tuned | None) -> Tuned | None:
    """The recipes and priors of a chunk's series."""
    if tuned is None:
        return None
    names = chunk["series_id"].unique()
    segments = {name: tuned.segments[name] for name in names if name in tuned.segments}
    used = set(segments.values())
    recipes = {name: options for name, options in tuned.recipes.items() if name in used}
    return Tuned(recipes, segments, tuned.priors)


def predict_local(
    family: Family[ModelT],
    models: dict[str, ModelT],
    future: pd.DataFrame,
    n_jobs: int = -1,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Forecast a future panel with a local family; each worker gets only the models it needs.

    Args:
        family: of scope "local", picklable.
        models: by model_version.
        future: as `Family.predict` takes it.
        n_jobs: processes.
        on_progress: called with series done and their number.

    Returns:
        As `family.predict(models, future)`: the same rows, order and index.

    Raises:
        ValueError: the family is global, or the future panel is not as `Family.predict` asks.
    """
    require_columns(future, ["model_version"], "future")
    chunks = _series_chunks(family, future, "future", n_jobs)
    if not chunks:
        return family.predict(models, future)
    with_models = [(_models_of(chunk, models), chunk) for chunk in chunks]
    parts = run_chunks(
        partial(_predict_chunk, family), with_models, n_jobs, _count_series(chunks, on_progress)
    )
    return pd.concat(parts)


def _predict_chunk(
    family: Family[ModelT], chunk: tuple[dict[str, ModelT], pd.DataFrame]
) -> pd.DataFrame:
    return family.predict(*chunk)


def _models_of(chunk: pd.DataFrame, models: dict[str, ModelT]) -> dict[str, ModelT]:
    """Pick a chunk's models; one that is missing is for the family to report."""
    return {name: models[name] for name in chunk["model_version"].unique() if name in models}


def _series_chunks(
    family: Family[ModelT], frame: pd.DataFrame, name: str, n_jobs: int
) -> list[pd.DataFrame]:
    if family.scope != "local":
        raise ValueError(f"family {family.name} is {family.scope}: it is not cut into series")
    require_columns(frame, ["series_id"], name)
    starts = series_starts(frame, name).tolist()
    edges = [*starts[:: _chunk_size(family, len(starts), n_jobs)], len(frame)]
    return [frame.iloc[first:after] for first, after in pairwise(edges)]


def _chunk_size(family: Family[ModelT], n_series: int, n_jobs: int) -> int:
    """The family's chunk size; smaller on a cluster, whose workers run already."""
    client, wanted = _CLIENT.get(), getattr(family, "series_per_chunk", None)
    n_workers = int(effective_n_jobs(n_jobs) if client is None else sum(client.ncores().values()))
    if wanted is None:
        return max(1, min(math.ceil(n_series / (4 * n_workers)), MAX_SERIES_PER_CHUNK))
    share = n_series if client is None else math.ceil(n_series / n_workers)
    return max(1, min(share, int(wanted)))


def _count_series(chunks: list[pd.DataFrame], on_progress: OnProgress | None) -> OnProgress | None:
    """Turn progress in chunks into progress in series."""
    if on_progress is None:
        return None
    done = list(accumulate(int(chunk["series_id"].nunique()) for chunk in chunks))
    return lambda n_chunks, _: on_progress(done[n_chunks - 1], done[-1])
