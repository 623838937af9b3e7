"""Steps of the image's build: name extras, remove what no run uses, try what is left.

Run by deploy/Dockerfile. It uses the standard library alone until `try`.
"""

import importlib
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

SITE_PACKAGES = Path("/opt/venv/lib/python3.11/site-packages")

PACKAGES = (
    # dbt-bigquery imports the first, and that the second, for Python models on Vertex alone.
    *("google-cloud-aiplatform", "google-genai"),
    # Prophet draws with matplotlib where it is there, and no run draws.
    *("matplotlib", "contourpy", "cycler", "fonttools", "kiwisolver", "pillow", "pyparsing"),
    # Builds packages; two dependencies that ask for it import it no more.
    "setuptools",
)

PATHS = (
    # Makes C++ of Stan programs; the model that Prophet fits is a program already.
    "prophet/stan_model/cmdstan-*/bin",
    "prophet/stan_model/cmdstan-*/stan",
    "prophet/tests",
    "numpy/*/tests",
    "numpy/tests",
    "pandas/tests",
    "pyarrow/tests",
    # To build against, and to speak protocols that nothing here speaks.
    "numpy/_core/include",
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "pyarrow/*flight*",
    "pyarrow/*s3*",
)


def extras(*names: str) -> None:
    """Print the requirements of optional dependencies of pyproject.toml."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in names:
        sys.stdout.writelines(f"{line}\n" for line in project["optional-dependencies"][name])


def remove() -> None:
    """Remove packages and files; a path that matches nothing stops the build."""
    pip = ("/opt/pip/bin/pip", "--python", sys.executable)
    subprocess.run([*pip, "uninstall", "--yes", *PACKAGES], check=True)
    for pattern in PATHS:
        found = list(SITE_PACKAGES.glob(pattern))
        if not found:
            raise SystemExit(f"{pattern}: nothing to remove; is it called otherwise now?")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def try_it() -> None:
    """Fit a Prophet model, import dbt's adapter, Parquet and the jobs: nothing of use is gone."""
    import dbt.adapters.bigquery
    import pandas as pd
    import pyarrow.dataset
    import pyarrow.parquet
    from prophet import Prophet

    import python_jobs.cli.app
    import python_jobs.fitting.export
    import python_jobs.registry.verify
    import python_jobs.runs

    runs = [
        importlib.import_module(f"python_jobs.runs.{one.name}")
        for one in pkgutil.iter_modules(python_jobs.runs.__path__)
    ]
    days = pd.date_range("2026-01-05", periods=30, freq="W-MON")
    model = Prophet().fit(pd.DataFrame({"ds": days, "y": range(30)}))
    assert model.params["k"].size == 1
    modules = (
        dbt.adapters.bigquery,
        pyarrow.dataset,
        pyarrow.parquet,
        python_jobs.cli.app,
        python_jobs.fitting.export,
        python_jobs.registry.verify,
        *runs,
    )
    names = ", ".join(module.__name__ for module in modules)
    sys.stdout.write(f"{names} and Prophet work\n")


STEPS: dict[str, Callable[..., None]] = {"extras": extras, "remove": remove, "try": try_it}

if __name__ == "__main__":
    STEPS[sys.argv[1]](*sys.argv[2:])
