"""Run bqemulator's own command line with the fixes that dbt and Google's clients need.

    python -m python_jobs.local.bigquery_emulator start --rest-port 9050 --grpc-port 9060

Add `--persistent --data-dir DIR` to keep data. What is fixed, and why, is listed in
`emulator_patches.PATCHES`.
"""

import gc
import importlib
import sys

from bqemulator.cli import main as bqemulator
from bqemulator.config import LogFormat, LogLevel
from bqemulator.observability.logging_ import configure_logging

from python_jobs.local import lifeline


def main(arguments: list[str]) -> None:
    """Apply the fixes, then do what bqemulator does with these arguments."""
    # What the fixes import logs its set-up while it is imported.
    configure_logging(level=LogLevel.WARNING, fmt=LogFormat.JSON)
    importlib.import_module("python_jobs.local.emulator_patches").apply()
    # Trees of SQL come and go by the hundred thousand, in circles: looking for them that often as
    # Python does by itself takes longer than making them.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    bqemulator(args=lifeline.hold_on(arguments), prog_name="bigquery_emulator")


if __name__ == "__main__":
    main(sys.argv[1:])
