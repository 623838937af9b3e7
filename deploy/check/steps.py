"""What `make deploy-check` checks, a step each. A step returns what it found, in a line.

It raises `tools.Missing` where it cannot run here, and `Failed` where something is wrong.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.check import terraform, tools

DEPLOY = tools.ROOT / "deploy"
MODULE = DEPLOY / "terraform"
EXAMPLE = "examples/distributor.tfvars"
WORKFLOWS = tools.ROOT / ".github" / "workflows"
CLOUD_BUILDS = tuple(sorted(DEPLOY.glob("cloudbuild*.yaml")))
REQUESTS = DEPLOY / "requests"


class Failed(RuntimeError):
    """A check found something; the text is what the tool said."""


def fmt(module: Path = MODULE) -> str:
    """Terraform's own formatting."""
    program = tools.program("terraform", "https://developer.hashicorp.com/terraform/install")
    _run(program, "fmt", "-check", "-diff", "-recursive", str(_present(module)))
    return "formatted"


def validate_and_test(module: Path = MODULE) -> str:
    """`terraform validate` and `terraform test`, with the provider or a stand-in of its schema."""
    values = [f"-var-file={EXAMPLE}"] if (module / EXAMPLE).exists() else []
    with (
        tempfile.TemporaryDirectory(prefix="shelfcast-terraform-") as folder,
        terraform.ready(_present(module), Path(folder) / "terraform") as ready,
    ):
        ready.done("validate")
        said = ready.done("test", *values)
    passed = re.search(r"(\d+) passed", said)
    if passed is None or passed.group(1) == "0":
        raise Failed(f"no test of Terraform ran:\n{said}")
    return f"{passed.group()}; {ready.provider}"


def checkov(module: Path = MODULE) -> str:
    """Checkov over Terraform; checkov.yaml has each check that is left out, with its reason."""
    config = str(DEPLOY / "check" / "checkov.yaml")
    said = _run(
        *(tools.tool("python"), tools.tool("checkov"), "--config-file", config),
        *("--directory", str(_present(module))),
    )
    counts = re.search(r"Passed checks: (\d+), Failed checks: (\d+).*", said)
    if counts is None or counts.group(1) == "0":
        raise Failed(f"checkov checked nothing:\n{said}")
    if "Parsing errors" in counts.group():
        raise Failed(f"checkov could not read a file (LOG_LEVEL=DEBUG names it):\n{said}")
    return counts.group()


def hadolint(dockerfile: Path = DEPLOY / "Dockerfile") -> str:
    """Hadolint over the Dockerfile."""
    _run(tools.tool("hadolint"), str(dockerfile))
    return dockerfile.name


def schemas(*cloud_builds: Path, workflows: Path = WORKFLOWS) -> str:
    """The schemas of Cloud Build and of GitHub's workflows."""
    program, files = tools.tool("check-jsonschema"), sorted(workflows.glob("*.yml"))
    builds = cloud_builds or CLOUD_BUILDS
    _run(program, "--builtin-schema", "vendor.cloudbuild", *map(str, builds))
    _run(program, "--builtin-schema", "vendor.github-workflows", *map(str, files))
    return ", ".join(path.name for path in (*builds, *files))


def zizmor(workflows: Path = WORKFLOWS) -> str:
    """Zizmor over the workflows, with what it knows offline."""
    said = _run(
        *(tools.tool("zizmor"), "--offline", "--no-progress", "--persona=pedantic"),
        *map(str, sorted(workflows.glob("*.yml"))),
    )
    return said.strip().splitlines()[-1]


def bodies(requests: Path = REQUESTS, *cloud_builds: Path) -> str:
    """Request bodies, parsed as the messages that Google's own clients send."""
    said = _run(
        *(tools.tool("python"), "-m", "deploy.check.bodies"),
        *map(str, cloud_builds or CLOUD_BUILDS),
        *map(str, sorted(_present(requests).glob("*.json"))),
    )
    return said.strip().replace("\n", ", ")


def image() -> str:
    """The image: built, looked into, measured."""
    from deploy.check import image as images

    return str(images.build())


def cycle() -> str:
    """A weekly cycle that the image's containers do, against emulators on this machine."""
    from deploy.check import container, cycle, image

    container.program()
    if not container.exists(image.TAG):
        raise tools.Missing("the image is not built: run the step `image` before")
    return cycle.check()


def settings() -> str:
    """The settings of the examples, read as the jobs will read them."""
    from deploy.check import settings as checking

    return checking.check()


STEPS: dict[str, Callable[[], str]] = {
    "fmt": fmt,
    "terraform": validate_and_test,
    "settings": settings,
    "checkov": checkov,
    "hadolint": hadolint,
    "schemas": schemas,
    "zizmor": zizmor,
    "bodies": bodies,
    "image": image,
    "cycle": cycle,
}


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        raise tools.Missing(f"there is no {folder.relative_to(tools.ROOT)}")
    return folder


def _run(*command: str) -> str:
    """Run a tool in the repository's root, and return its stdout.

    Raises:
        Failed: it says that something is wrong.
    """
    ended = subprocess.run(
        command,
        cwd=tools.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if ended.returncode:
        raise Failed(f"{ended.stdout}\n{ended.stderr}".strip()[-6000:])
    return ended.stdout or ended.stderr
