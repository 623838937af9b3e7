"""Run bqemulator's own command line with its gaps repaired; README.md lists the repairs.

    python -m emulators.bigquery start --rest-port 9050 --grpc-port 9060

Add `--persistent --data-dir DIR` to keep data.
"""

import gc
import importlib
import sys

from bqemulator.cli import main as bqemulator
from bqemulator.config import LogFormat, LogLevel
from bqemulator.observability.logging_ import configure_logging

from emulators import lifeline


def main(arguments: list[str]) -> None:
    """Apply the repairs, then do what bqemulator does with these arguments."""
    # The modules that are patched log their set-up while they are imported.
    configure_logging(level=LogLevel.WARNING, fmt=LogFormat.JSON)
    importlib.import_module("emulators.bigquery.patches").apply()
    # Syntax trees refer to their parents, and come and go by the hundred thousand. With Python's
    # own thresholds, collecting them takes longer than making them.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    bqemulator(args=lifeline.watch(arguments), prog_name="python -m emulators.bigquery")


if __name__ == "__main__":
    main(sys.argv[1:])
