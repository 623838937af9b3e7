"""`shelfcast` in this process, with everything it writes caught."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from python_jobs.cli.app import main
from python_jobs.infra.logs import LOGGER
from tests.support.site import Site


def shelfcast(site: Site | None, *arguments: str, **environment: str | None) -> Result:
    """Run a command for a site. An error that is not Shelfcast's own is raised."""
    if site is not None:
        os.environ.update(site.environment())
    result = CliRunner().invoke(main, arguments, env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(site: Site | None, *arguments: str, **environment: str | None) -> Result:
    """Run a command that must succeed."""
    result = shelfcast(site, *arguments, **environment)
    assert result.exit_code == 0, result.output
    return result


def error_of(result: Result) -> str:
    """The one message of a command that failed, on stderr or, as on Cloud Run, on stdout."""
    entries = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    (message,) = [entry["message"] for entry in entries if entry["event"] == "run_failed"]
    assert "Traceback" not in result.output
    return message


@contextmanager
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Catch warnings, even after a command of this process has sent the log to stderr."""
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING, "shelfcast"):
        patch.setattr(LOGGER, "propagate", True)
        yield
