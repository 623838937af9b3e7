"""Command lines that start the emulators. Importing this module starts and patches nothing."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from emulators import lifeline


def bigquery(
    host: str,
    rest_port: int,
    grpc_port: int,
    data_dir: Path | None,
    *,
    ends_with_parent: bool = False,
) -> list[str]:
    """Return the command that starts BigQuery.

    Args:
        host: address to listen on.
        rest_port: port of the REST API.
        grpc_port: port of the Storage APIs.
        data_dir: folder of the tables; None keeps them in memory.
        ends_with_parent: the server exits when its standard input closes.
    """
    listen = ["--rest-host", host, "--rest-port", str(rest_port)]
    listen += ["--grpc-host", host, "--grpc-port", str(grpc_port)]
    keep = ["--persistent", "--data-dir", str(data_dir)] if data_dir else ["--ephemeral"]
    options = ["start", *listen, *keep, "--log-level", "warning"]
    return _command("bigquery", options, ends_with_parent)


def storage(host: str, port: int, data_dir: Path, *, ends_with_parent: bool = False) -> list[str]:
    """Return the command that starts Cloud Storage over a folder; arguments as for BigQuery."""
    options = ["--host", host, "--port", str(port), "--data-dir", str(data_dir)]
    return _command("storage", options, ends_with_parent)


def _command(server: str, options: list[str], ends_with_parent: bool) -> list[str]:
    ending = [lifeline.FLAG] if ends_with_parent else []
    return [sys.executable, "-m", f"emulators.{server}", *options, *ending]


def environment(inherited: Mapping[str, str], uploads: Path) -> dict[str, str]:
    """Return the environment that both servers need.

    Args:
        inherited: the caller's environment. Settings of another bqemulator are left out of it.
        uploads: existing folder for files on their way into a table.
    """
    own = {name: value for name, value in inherited.items() if not name.startswith("BQEMU_")}
    # The servers import this very package, wherever they are started.
    packages = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (packages, own.get("PYTHONPATH"))))
    return {**own, "PYTHONPATH": path, "BQEMU_UPLOAD_STAGING_DIR": str(uploads)}
