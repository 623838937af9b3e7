"""The emulator's DuckDB: a connection a thread, nothing downloaded, no file but uploads."""

import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import duckdb
from bqemulator.storage.engine import DuckDBEngine


def set_session(original: Callable[[DuckDBEngine], None]) -> Callable[[DuckDBEngine], None]:
    """Record the server's thread, and keep DuckDB from downloading and from writing to HOME."""

    def apply_session_pragmas(engine: DuckDBEngine) -> None:
        original(engine)
        engine.execute("SET autoinstall_known_extensions = false")
        engine.execute("SET autoload_known_extensions = false")
        engine.execute("SET GLOBAL TimeZone = 'UTC'")
        engine._owner_thread = threading.get_ident()  # type: ignore[attr-defined]
        engine._thread_cursors = threading.local()  # type: ignore[attr-defined]

    return apply_session_pragmas


def lock_down(
    original: Callable[[DuckDBEngine], Awaitable[None]],
) -> Callable[[DuckDBEngine], Awaitable[None]]:
    """Let SQL read and write files in the folder of uploads alone, and change no such setting."""

    async def start(engine: DuckDBEngine) -> None:
        await original(engine)
        folder = (
            engine._settings.upload_staging_dir or Path(tempfile.gettempdir()) / "bqemu_uploads"
        )
        quoted = str(folder.resolve()).replace("'", "''")
        engine.execute(f"SET GLOBAL allowed_directories = ['{quoted}']")
        engine.execute("SET GLOBAL enable_external_access = false")
        engine.execute("SET GLOBAL lock_configuration = true")

    return start


def skip_extension(_original: Callable[[DuckDBEngine], None]) -> Callable[[DuckDBEngine], None]:
    """Load no extension: JSON and time zones are built into DuckDB, the others are not needed."""
    return lambda _engine: None


def connection_of_thread(original: property) -> property:
    """Give each thread its own connection; on a shared one, threads fetch each other's results.

    The server's own thread keeps the first connection, which has the transactions.
    """

    def connection(engine: DuckDBEngine) -> duckdb.DuckDBPyConnection:
        first: duckdb.DuckDBPyConnection = original.__get__(engine)
        owner = getattr(engine, "_owner_thread", None)
        if owner is None or owner == threading.get_ident():
            return first
        cursors = engine._thread_cursors  # type: ignore[attr-defined]
        if not hasattr(cursors, "connection"):
            cursors.connection = first.cursor()
        own: duckdb.DuckDBPyConnection = cursors.connection
        return own

    return property(connection)
