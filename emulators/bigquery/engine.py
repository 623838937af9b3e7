"""The emulator's DuckDB: a connection a thread, and nothing downloaded."""

import threading
from collections.abc import Callable

import duckdb
from bqemulator.storage.engine import DuckDBEngine


def set_session(original: Callable[[DuckDBEngine], None]) -> Callable[[DuckDBEngine], None]:
    """Record the server's thread, and keep DuckDB from downloading and from writing to HOME."""

    def apply_session_pragmas(engine: DuckDBEngine) -> None:
        original(engine)
        engine.execute("SET autoinstall_known_extensions = false")
        engine.execute("SET autoload_known_extensions = false")
        engine._owner_thread = threading.get_ident()  # type: ignore[attr-defined]
        engine._thread_cursors = threading.local()  # type: ignore[attr-defined]

    return apply_session_pragmas


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
            cursors.connection.execute("SET TimeZone = 'UTC'")
        own: duckdb.DuckDBPyConnection = cursors.connection
        return own

    return property(connection)
