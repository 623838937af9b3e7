"""Checks of a whole deployment before its schedules are enabled: environment, datasets, rights."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from google.api_core.exceptions import Forbidden, MethodNotAllowed, NotFound

from python_jobs.checks.check import NotChecked
from python_jobs.infra.errors import SettingsError, ShelfcastError, first_few
from python_jobs.infra.identity import account_of, part_of
from python_jobs.infra.store import BucketStore
from python_jobs.runs.context import RunContext

PARTS = ("raw", "logs", "staging", "features", "forecasts", "metrics", "marts")
"""The datasets of a deployment, after its prefix."""

READ, WRITE = "bigquery.tables.getData", "bigquery.tables.updateData"
OBJECTS = ["storage.objects.get", "storage.objects.list"]
OWN_OBJECTS = ["storage.objects.create", "storage.objects.delete"]


def _environment(context: RunContext, environment: Mapping[str, str] = os.environ) -> str:
    """The variables that deploy/terraform/jobs.tf gives each job."""
    connection = context.connection
    faults = []
    if connection.target != "prod":
        faults.append(
            f"the target is '{connection.target}': `shelfcast --target prod doctor --go-live`"
        )
    if not connection.project:
        faults.append("SHELFCAST_PROJECT is not set")
    if not connection.location:
        faults.append("SHELFCAST_LOCATION is not set, where the datasets are")
    if not (connection.models_uri or "").startswith("gs://"):
        faults.append(
            f"SHELFCAST_MODELS_URI is '{connection.models_uri or ''}': name the models bucket, "
            "gs://…"
        )
    limit = environment.get("SHELFCAST_MAXIMUM_BYTES_BILLED", "")
    if not limit.isdigit():
        faults.append("SHELFCAST_MAXIMUM_BYTES_BILLED is not set: one query could read it all")
    if faults:
        raise SettingsError(
            f"{'; '.join(faults)}. `terraform output` and deploy/terraform/jobs.tf have the values."
        )
    loading = environment.get("SHELFCAST_LOADING", "")
    apart = f", loading {loading}" if loading else ""
    return (
        f"project {connection.project}, datasets {connection.dataset}_… in {connection.location}, "
        f"{connection.models_uri}, at most {int(limit) / 1e9:,.0f} GB a query{apart}"
    )


def _datasets(context: RunContext) -> str:
    client, missing, elsewhere = context.warehouse.client, [], []
    for part in PARTS:
        name = f"{context.connection.dataset}_{part}"
        try:
            dataset = client.get_dataset(f"{client.project}.{name}")
        except (NotFound, Forbidden):
            missing.append(name)
        else:
            wanted = (context.connection.location or "").lower()
            if wanted and dataset.location.lower() != wanted:
                elsewhere.append(f"{name} in {dataset.location}")
    if missing:
        raise ShelfcastError(
            f"{first_few(missing)} not there, or not to be seen by this account. `terraform "
            "apply` makes the datasets."
        )
    if elsewhere:
        raise ShelfcastError(
            f"{first_few(elsewhere)}, but SHELFCAST_LOCATION is {context.connection.location}. A "
            "dataset cannot be moved: set bigquery_location to where they are."
        )
    return f"{len(PARTS)} there"


def _identity(context: RunContext) -> str:
    if context.connection.keyfile:
        raise SettingsError(
            "SHELFCAST_KEYFILE is set: a key is a secret that somebody can copy. Unset it; a job "
            "has its account, a person `gcloud auth application-default login`."
        )
    account = account_of(context.warehouse)
    part = part_of(account)
    _check_tables(context, account, part)
    _check_bucket(context, account, part)
    if part is None:
        raise NotChecked(
            f"you are {account}, none of the deployment's accounts; what it needs it may do. To "
            "look as a job does, run `gcloud auth application-default login "
            "--impersonate-service-account=NAME-predict@PROJECT.iam.gserviceaccount.com` first."
        )
    return f"{account}, which may read and write what {part} needs"


def _check_tables(context: RunContext, account: str, part: str | None) -> None:
    """Ask for rights, and use none of them.

    Raises:
        ShelfcastError: a right is missing.
    """
    source = f"{context.use_case.name}_sales.rows"
    wanted = {source: [READ], "run_log": [READ, WRITE], "forecast_log": [READ, WRITE]}
    client, missing = context.warehouse.client, []
    for name, rights in wanted.items():
        table = context.warehouse.table(name)
        try:
            granted = client.test_iam_permissions(table, rights).get("permissions", [])
        except NotFound:
            missing.append(f"{table} (there is no such table)")
            continue
        except MethodNotAllowed:  # an emulator, which has no grants
            return
        missing += [f"{right} on {table}" for right in rights if right not in granted]
    if missing:
        raise ShelfcastError(
            f"{account} lacks {first_few(missing)}. Its grants are those of "
            f"deploy/terraform/grants.tf{f' for {part}' if part else ''}: `terraform apply`."
        )


def _check_bucket(context: RunContext, account: str, part: str | None) -> None:
    store = context.store
    if not isinstance(store, BucketStore) or part == "load":
        return
    # The monitor may write leases only, which a check of the bucket's rights does not show.
    wanted = OBJECTS if part == "monitor" else OBJECTS + OWN_OBJECTS
    try:
        granted = store.bucket.test_iam_permissions(wanted)
    except NotFound as error:
        raise ShelfcastError(
            f"there is no bucket {store.bucket.name}, which SHELFCAST_MODELS_URI names. "
            "`terraform apply` makes it."
        ) from error
    if missing := [right for right in wanted if right not in granted]:
        raise ShelfcastError(
            f"{account} lacks {first_few(missing)} on {store.bucket.name}. Its grants are those of "
            "deploy/terraform/grants.tf: `terraform apply`."
        )


DEPLOYMENT: list[tuple[str, Callable[[RunContext], str]]] = [
    ("environment", _environment),
    ("datasets", _datasets),
    ("identity", _identity),
]
"""The checks of a deployment, in order."""
