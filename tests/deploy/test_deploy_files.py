"""The quick steps of `make deploy-check`, and that each of them refuses what is wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deploy.check import __main__ as check
from deploy.check import bodies, image, steps, tools

WORKFLOW = """
name: wrong
on: pull_request_target
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - run: echo ${{ github.event.pull_request.title }}
"""


def result_of(step: Callable[..., str], *arguments: Path) -> str:
    """Run a step; where its tool is missing, the test skips and says which."""
    try:
        return step(*arguments)
    except tools.Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("name", ["fmt", "hadolint", "schemas", "zizmor", "bodies"])
def test_what_is_quick_passes(name: str) -> None:
    assert result_of(steps.STEPS[name])


def test_terraform_that_is_not_formatted_fails(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('locals {\na="b"\n}\n')
    with pytest.raises(steps.Failed, match=r"main\.tf"):
        result_of(steps.fmt, tmp_path)


def test_a_dockerfile_that_installs_whatever_is_newest_fails(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM python\nRUN pip install dbt-core\n")
    with pytest.raises(steps.Failed, match="DL3006"):
        result_of(steps.hadolint, path)


def test_a_misspelt_key_of_cloud_build_fails(tmp_path: Path) -> None:
    path = tmp_path / "cloudbuild.yaml"
    path.write_text("steps:\n  - name: python\n    wait_For: ['-']\n")
    with pytest.raises(steps.Failed, match="wait_For"):
        result_of(steps.schemas, path)
    with pytest.raises(steps.Failed, match="wait_For"):
        result_of(steps.bodies, steps.REQUESTS, path)


def test_a_workflow_that_runs_what_a_stranger_wrote_fails(tmp_path: Path) -> None:
    (tmp_path / "wrong.yml").write_text(WORKFLOW)
    with pytest.raises(steps.Failed, match="template-injection"):
        result_of(steps.zizmor, tmp_path)


def test_an_override_with_an_unknown_field_fails(tmp_path: Path) -> None:
    body = json.loads((steps.REQUESTS / "retrain.RunJobRequest.json").read_text())
    body["overrides"]["containerOverrides"][0]["environment"] = []
    (tmp_path / "retrain.RunJobRequest.json").write_text(json.dumps(body))
    with pytest.raises(steps.Failed, match='no field named "environment"'):
        result_of(steps.bodies, tmp_path)


def test_a_body_says_by_its_name_what_it_is() -> None:
    assert bodies.message_of(Path("deploy/cloudbuild.yaml")) == "Build"
    with pytest.raises(ValueError, match="name it <what>"):
        bodies.message_of(Path("retrain.json"))


def test_what_the_image_is_made_of_is_all_that_its_build_sees() -> None:
    """Each COPY of the Dockerfile names what the ignore file lets through, and that is there."""
    lines = (steps.DEPLOY / "Dockerfile").read_text().splitlines()
    copied = {
        source
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    ignored = (steps.DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert all((tools.ROOT / source).exists() for source in copied)
    assert "*" in ignored


def test_the_image_has_what_dbt_reads() -> None:
    """The folders that dbt_project.yml names, and no more."""
    assert {name for name in image.PROJECT if (tools.ROOT / name).is_dir()} == {
        *("models", "macros", "seeds", "tests")
    }


def test_a_missing_tool_is_skipped_aloud_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "VENV", tmp_path)
    monkeypatch.delenv("CI", raising=False)
    assert check.main("hadolint") == 0
    assert "SKIPPED  hadolint" in capsys.readouterr().out


def test_a_step_that_fails_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> str:
        raise steps.Failed("it is wrong")

    monkeypatch.setitem(check.STEPS, "fmt", failing)
    assert check.main("fmt") == 1
    assert "FAILED   fmt" in capsys.readouterr().out


def test_a_step_that_is_none_is_named() -> None:
    assert check.main("fnt") == 2


@pytest.mark.parametrize(
    "path",
    [
        "deploy/README.md",
        "deploy/Dockerfile",
        "deploy/cloudbuild.yaml",
        ".github/workflows/deploy.yml",
    ],
)
def test_an_image_is_built_for_what_cloud_run_runs(path: str) -> None:
    """An ARM laptop would build an image that Cloud Run cannot start."""
    text = (tools.ROOT / path).read_text().replace("\n      - ", " ")
    builds = re.findall(r"\bbuild (--\w+[ =][\w/]+)", text)
    assert builds
    assert {one.replace("=", " ") for one in builds} == {"--platform linux/amd64"}


def test_who_builds_without_a_reviewer_moves_no_job() -> None:
    jobs = yaml.safe_load((steps.WORKFLOWS / "deploy.yml").read_text())["jobs"]
    accounts = {
        job["environment"]: step["with"]["service_account"]
        for job in jobs.values()
        for step in job["steps"]
        if "auth@" in step.get("uses", "")
    }
    assert accounts["image"] == "${{ vars.BUILDER }}"
    assert accounts["production"] == "${{ vars.DEPLOYER }}"
    build = yaml.safe_load((steps.DEPLOY / "cloudbuild.yaml").read_text())
    assert build["substitutions"]["_ACCOUNT"] == "shelfcast-builder"
    assert "gcloud run jobs" not in (steps.DEPLOY / "cloudbuild.yaml").read_text()


def test_a_plan_of_production_takes_the_locked_provider_alone() -> None:
    for path in (steps.DEPLOY / "cloudbuild.yaml", steps.WORKFLOWS / "deploy.yml"):
        (command,) = re.findall(r"terraform init .*", path.read_text())
        assert "-lockfile=readonly" in command
    assert ".terraform.lock.hcl" not in (tools.ROOT / ".gitignore").read_text()


@pytest.mark.parametrize(
    ("environment", "refused"),
    [
        ({}, []),
        ({"CI": "false"}, []),
        ({"CI": "true"}, ["image", "cycle"]),
        ({"CI": "true", check.MAY_SKIP: "cycle"}, ["image"]),
        ({"CI": "true", check.MAY_SKIP: "image, cycle"}, []),
    ],
)
def test_what_was_skipped_fails_continuous_integration(
    environment: dict[str, str], refused: list[str]
) -> None:
    outcomes = [
        check.Outcome("fmt", "PASSED", 1.0, ""),
        check.Outcome("image", "SKIPPED", 1.0, "no registry"),
        check.Outcome("cycle", "SKIPPED", 1.0, "no image"),
    ]
    assert check.skipped_against_the_rules(outcomes, environment) == refused


def test_a_missing_tool_fails_continuous_integration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "VENV", tmp_path)
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv(check.MAY_SKIP, raising=False)
    assert check.main("hadolint") == 1
    assert f"not checked: hadolint. In CI that fails, unless {check.MAY_SKIP} names it" in (
        capsys.readouterr().out
    )


def test_ci_says_that_it_is_ci() -> None:
    """sudo gives its command a clean environment."""
    text = (steps.WORKFLOWS / "ci.yml").read_text()
    assert re.search(r"sudo env .*CI=true make deploy-check", text)


def test_the_stand_in_of_the_base_says_how_to_get_its_tool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image.container, "exists", lambda _: False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(tools.Missing, match="apt-get install mmdebstrap"):
        image._make_stand_in()


def test_a_file_that_checkov_cannot_read_fails(tmp_path: Path) -> None:
    """Its checks would be missing from those that passed."""
    module = tmp_path / "module"
    shutil.copytree(steps.MODULE, module, ignore=shutil.ignore_patterns("tests", ".terraform"))
    (module / "broken.tf").write_text("locals {\n  broken = (\n}\n")
    with pytest.raises(steps.Failed, match="checkov could not read a file"):
        result_of(steps.checkov, module)
