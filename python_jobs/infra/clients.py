"""Google's clients of BigQuery and of its Storage Read API, or of the emulator in their place."""

from __future__ import annotations

from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery import _pandas_helpers

from python_jobs.infra.dbt_runner import check_answers
from python_jobs.infra.errors import ConnectionFailed
from python_jobs.infra.foreign import UNUSABLE_KEYS
from python_jobs.infra.settings import Connection

CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
]
"""A connection that died without a word is noticed within a minute and a half."""


def bigquery_client(connection: Connection, project: str) -> bigquery.Client:
    """The client of BigQuery.

    Raises:
        ConnectionFailed: no emulator at the endpoint, or no usable credentials.
    """
    if connection.bigquery_endpoint is not None:
        check_answers(connection.bigquery_endpoint)
        return bigquery.Client(
            project=project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": connection.bigquery_endpoint},
        )
    try:
        if connection.keyfile is not None:
            client: bigquery.Client = bigquery.Client.from_service_account_json(
                connection.keyfile, project=project, location=connection.location
            )
            return client
        return bigquery.Client(project=project, location=connection.location)
    except UNUSABLE_KEYS as error:
        raise ConnectionFailed(
            f"no usable Google credentials: {error}. Run `gcloud auth application-default login`, "
            "or set SHELFCAST_KEYFILE to a service account's key."
        ) from error


def read_client(connection: Connection, credentials: Any) -> Any:  # noqa: ANN401 - untyped library
    """The client of the Storage Read API, with the credentials of the other; None without one."""
    from google.cloud.bigquery_storage import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
        BigQueryReadGrpcTransport,
    )

    if connection.bigquery_endpoint is None:
        channel = BigQueryReadGrpcTransport.create_channel(
            credentials=credentials, options=CHANNEL_OPTIONS
        )
        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
    if connection.bigquery_grpc_endpoint is None:
        return None
    import grpc

    channel = grpc.insecure_channel(connection.bigquery_grpc_endpoint, options=CHANNEL_OPTIONS)
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def notice_ends_quickly() -> None:
    """Let the client look for the end of a stream fifty times a second, not five.

    The client waits one or two such intervals for any result: 0.3 s a read of few rows, else 0.05.
    The interval is a private name of the client; there is no public one.
    """
    _pandas_helpers._PROGRESS_INTERVAL = 0.02
