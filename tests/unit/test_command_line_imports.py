"""The command line starts without the libraries that only its runs need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["pandas", "dbt", "prophet", "google.cloud.bigquery", "pyarrow", "pydantic"]
"""What `shelfcast --help` must not wait for."""
IMPORTED = """
import sys
from python_jobs.cli.app import main
main(["--help"], standalone_mode=False)
print("imported", *sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def test_help_imports_no_heavy_library() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", IMPORTED, *HEAVY], capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[-1] == "imported"
