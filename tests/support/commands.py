"""`shelfcast` in this process, with everything it writes caught."""

from __future__ import annotations

import json
import os

from click.testing import CliRunner, Result

from python_jobs.cli import main
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
    assert result.exit_code == 0, result.stderr
    return result


def error_of(result: Result) -> str:
    """The one message of a command that failed."""
    entries = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    (message,) = [entry["message"] for entry in entries if entry["severity"] == "ERROR"]
    assert "Traceback" not in result.stderr
    return message
