"""Points this process at the running emulators, as production points at Google."""

from __future__ import annotations

import os
from pathlib import Path

from google.cloud import storage

from python_jobs.infra.errors import ConnectionFailed
from python_jobs.infra.settings import connection
from python_jobs.local import stack
from python_jobs.local.ports import Endpoints

LOCAL = "local"
STATE_DIR = ".local"
BUCKET = "shelfcast-models"


def connect(project: Path) -> None:
    """Set the endpoints of the running stack in the environment, unless they are set already.

    Any other target than the local one is left alone.

    Raises:
        ConnectionFailed: no stack runs and no endpoint is set.
    """
    if connection().target != LOCAL:
        return
    if "SHELFCAST_BIGQUERY_ENDPOINT" not in os.environ:
        endpoints = stack.status(project / STATE_DIR).endpoints
        if endpoints is None:
            raise ConnectionFailed(
                "no emulator is running. Start them with `shelfcast local start`."
            )
        os.environ.update(endpoints.environment())
    _use_bucket()


def use(endpoints: Endpoints) -> None:
    """Set a stack's endpoints in the environment."""
    os.environ.update(endpoints.environment())
    _use_bucket()


def _use_bucket() -> None:
    """Make the emulator's bucket the store, a folder a dataset, unless another store is set."""
    if "STORAGE_EMULATOR_HOST" not in os.environ:
        return
    dataset = os.environ.get("SHELFCAST_DATASET", "shelfcast")
    uri = os.environ.setdefault("SHELFCAST_MODELS_URI", f"gs://{BUCKET}/{dataset}")
    if not uri.startswith(f"gs://{BUCKET}/"):
        return
    client = storage.Client(project="shelfcast-local")
    if client.lookup_bucket(BUCKET) is None:
        client.create_bucket(BUCKET)
