"""Terraform over a copy of a module: with the google provider, or with a stand-in of its schema.

The stand-in is for machines that reach no registry. It knows names, types, required arguments and
references of the provider, not its values, conflicts or permissions, and nothing can be applied
with it but what a `mock_provider` answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.check import tools

STAND_IN = "SHELFCAST_TERRAFORM_SCHEMA"
STAND_IN_FOLDER = tools.ROOT.parent / "shared" / "tools" / "terraform-offline"
PLUGINS = tools.ROOT / ".local" / "terraform-plugins"
LEFT_OUT = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfplan")
NO_STATE = 'terraform {\n  backend "local" {}\n}\n'
"""Laid over a copy, so that no bucket is asked for a state."""
START_SECONDS = 60.0
RUN_SECONDS = 600.0


class Failed(RuntimeError):
    """A command of Terraform failed; the text is what it said."""


@dataclass(frozen=True)
class Terraform:
    """Terraform in a folder that `init` has made ready.

    Attributes:
        folder: the copy of the module, with `tests/` and whatever else lies in it.
        provider: which provider serves, for people.
        environment: of its commands.
    """

    folder: Path
    provider: str
    environment: dict[str, str] = field(repr=False)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder and return how it ended and what it said."""
        return _run(self.folder, self.environment, *arguments)

    def value(self, expression: str, *arguments: str) -> Any:  # noqa: ANN401 - whatever it is
        """Return the value of an expression, as `terraform console` has it with these arguments.

        Raises:
            Failed: with what it said.
        """
        given = f"jsonencode({expression})\n"
        ended = _run(self.folder, self.environment, "console", *arguments, given=given)
        if ended.returncode or not ended.stdout.startswith('"'):
            raise Failed(f"terraform console {expression}:\n{ended.stdout}{ended.stderr}")
        return json.loads(json.loads(ended.stdout.replace("$${", "${").replace("%%{", "%{")))

    def done(self, *arguments: str) -> str:
        """Run a command that must succeed, and return its stdout.

        Raises:
            Failed: with what it said.
        """
        ended = self.run(*arguments)
        if ended.returncode:
            raise Failed(f"terraform {' '.join(arguments)}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout


@contextlib.contextmanager
def ready(module: Path, folder: Path) -> Iterator[Terraform]:
    """Copy a module, init it without its state, and lend it; a stand-in's server ends with this.

    Args:
        module: the folder of the configuration.
        folder: gets the copy, as deploy/terraform under it, and dbt_project.yml, which it reads.

    Raises:
        tools.Missing: there is no terraform, or neither a registry nor a stand-in.
        Failed: `init` refused the configuration.
    """
    tools.program("terraform", "https://developer.hashicorp.com/terraform/install")
    copy = folder / "deploy" / "terraform"
    shutil.copytree(module, copy, ignore=LEFT_OUT)
    shutil.copy(tools.ROOT / "dbt_project.yml", folder)
    (copy / "backend_override.tf").write_text(NO_STATE)
    environment = _environment()
    refusal = _init(copy, environment)
    if refusal is None:
        yield Terraform(copy, "hashicorp/google from the registry", environment)
        return
    with _stand_in() as (name, addresses):
        served = {**environment, "TF_REATTACH_PROVIDERS": addresses}
        refusal = _init(copy, served)
        if refusal is not None:
            raise Failed(refusal)
        yield Terraform(copy, f"STAND-IN ({name}): schema only", served)


def _environment() -> dict[str, str]:
    """The machine's environment without what would lead Terraform to somebody's project."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    settings = os.environ.get("TF_CLI_CONFIG_FILE", "")
    if settings and Path(settings).exists():
        own["TF_CLI_CONFIG_FILE"] = settings
    PLUGINS.mkdir(parents=True, exist_ok=True)
    return {
        **own,
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
        "TF_PLUGIN_CACHE_DIR": str(PLUGINS),
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
        "TF_REGISTRY_DISCOVERY_RETRY": "1",
        "TF_REGISTRY_CLIENT_TIMEOUT": "10",
    }


def _init(folder: Path, environment: dict[str, str]) -> str | None:
    """Init a module. Return None, or what was said where no registry answers.

    Raises:
        Failed: it failed for another reason.
    """
    ended = _run(folder, environment, "init")
    said = ended.stdout + ended.stderr
    if ended.returncode == 0:
        return None
    if "could not connect to registry" in " ".join(said.split()):
        return said
    raise Failed(f"terraform init:\n{said}")


@contextlib.contextmanager
def _stand_in() -> Iterator[tuple[str, str]]:
    """Serve the provider's schema on loopback.

    Yields:
        The schema's file name, and the value of TF_REATTACH_PROVIDERS.

    Raises:
        tools.Missing: there is no stand-in here, or its server did not start.
    """
    folder = Path(os.environ.get(STAND_IN, STAND_IN_FOLDER))
    schemas = sorted(folder.glob("google-schema-*.json"))
    if not schemas:
        raise tools.Missing(f"no Terraform registry answers, and {STAND_IN} names no stand-in")
    python = tools.tool("python")
    with contextlib.ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shelfcast-")))
        addresses, log = own / "addresses.json", own / "server.log"
        server = subprocess.Popen(
            [python, "-B", str(folder / "schema_provider.py"), str(schemas[-1]), str(addresses)],
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(log.open("wb")),
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        stack.callback(server.wait)
        stack.callback(server.kill)
        yield schemas[-1].name, _addresses(server, addresses, log)


def _addresses(server: subprocess.Popen[bytes], file: Path, log: Path) -> str:
    """Wait until the server has written where it listens."""
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.dumps(json.loads(file.read_text()))
        time.sleep(0.05)
    raise tools.Missing(f"the provider's stand-in did not start: {log.read_text()[-500:]}")


def _run(
    folder: Path, environment: dict[str, str], *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", *arguments],  # noqa: S607
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
