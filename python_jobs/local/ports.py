"""The ports of the emulators, and whether they are free or answer."""

import contextlib
import socket
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Literal

HOST = "127.0.0.1"
ANSWER_SECONDS = 2.0

ServerName = Literal["bigquery", "storage"]


@dataclass(frozen=True)
class Endpoints:
    """The addresses of the servers.

    Attributes:
        bigquery: URL of BigQuery's REST API.
        bigquery_grpc: host:port of BigQuery's Storage APIs.
        storage: URL of Cloud Storage's JSON API.
    """

    bigquery: str
    bigquery_grpc: str
    storage: str

    def environment(self) -> dict[str, str]:
        """Return the environment variables that point clients here."""
        return {
            "SHELFCAST_BIGQUERY_ENDPOINT": self.bigquery,
            "SHELFCAST_BIGQUERY_GRPC_ENDPOINT": self.bigquery_grpc,
            "STORAGE_EMULATOR_HOST": self.storage,
        }


@dataclass(frozen=True)
class Ports:
    """The ports of a stack, on 127.0.0.1."""

    bigquery: int
    bigquery_grpc: int
    storage: int

    def of(self, name: ServerName) -> tuple[int, ...]:
        """Return one server's ports, the first of which answers HTTP."""
        return (self.bigquery, self.bigquery_grpc) if name == "bigquery" else (self.storage,)

    def endpoints(self) -> Endpoints:
        """Return the addresses of these ports."""
        return Endpoints(
            bigquery=f"http://{HOST}:{self.bigquery}",
            bigquery_grpc=f"{HOST}:{self.bigquery_grpc}",
            storage=f"http://{HOST}:{self.storage}",
        )


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: a port that only waits for its last connections to fade is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def answers(name: ServerName, ports: Ports) -> bool:
    """Whether a server answers on all of its ports."""
    http, *others = ports.of(name)
    path = "/readyz" if name == "bigquery" else "/"
    # No urllib: it would ask a proxy that the environment names.
    connection = HTTPConnection(HOST, http, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        if connection.getresponse().status != HTTPStatus.OK:
            return False
        for port in others:
            socket.create_connection((HOST, port), timeout=ANSWER_SECONDS).close()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True
