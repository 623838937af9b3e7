"""Google's own clients, pointed at a local stack."""

import grpc
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)

from python_jobs.local.ports import Endpoints

PROJECT = "demo"


def bigquery_client(endpoints: Endpoints) -> bigquery.Client:
    return bigquery.Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=endpoints.bigquery),
    )


def read_client(endpoints: Endpoints) -> BigQueryReadClient:
    unlimited = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(endpoints.bigquery_grpc, options=unlimited)
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def storage_client(endpoints: Endpoints) -> storage.Client:
    return storage.Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=endpoints.storage),
    )


def rows(client: bigquery.Client, sql: str) -> list[tuple]:
    """Run a query and return its rows; a failure is raised at once, never tried again."""
    return [row.values() for row in client.query(sql, job_retry=None).result()]
