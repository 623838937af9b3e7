"""The runner that the checks of deploy/terraform use tells a good module from a bad one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.check import terraform, tools
from tests.support import terraform as support

VERSIONS = """
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8"
    }
  }
}
"""
SCHEDULE = """
resource "google_cloud_scheduler_job" "weekly" {
  name     = "weekly"
  schedule = var.schedule
}
variable "schedule" {
  default = "0 22 * * 3"
}
"""
TEST = """
mock_provider "google" {}
run "schedule" {
  assert {
    condition     = google_cloud_scheduler_job.weekly.schedule == "0 22 * * 3"
    error_message = "another schedule"
  }
}
"""

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not on the PATH"
)


def module(folder: Path, **files: str) -> Path:
    folder = folder / "module"
    (folder / "tests").mkdir(parents=True)
    (folder / "versions.tf").write_text(VERSIONS)
    (folder / "main.tf").write_text(files.get("main", SCHEDULE))
    (folder / "tests" / "schedule.tftest.hcl").write_text(files.get("test", TEST))
    return folder


def test_a_sound_module_validates_and_its_tests_pass(tmp_path: Path) -> None:
    with support.ready(tmp_path, module(tmp_path)) as lent:
        assert "Success" in lent.done("validate")
        assert "1 passed" in lent.done("test")


def test_a_misspelt_argument_is_named(tmp_path: Path) -> None:
    wrong = SCHEDULE.replace("schedule =", "shedule =")
    with (
        support.ready(tmp_path, module(tmp_path, main=wrong)) as lent,
        pytest.raises(terraform.Failed, match='"shedule" is not expected'),
    ):
        lent.done("validate")


def test_an_assertion_that_does_not_hold_fails(tmp_path: Path) -> None:
    with (
        support.ready(tmp_path, module(tmp_path, test=TEST.replace("22", "23"))) as lent,
        pytest.raises(terraform.Failed, match="another schedule"),
    ):
        lent.done("test")


@needs_terraform
def test_an_init_that_fails_for_another_reason_is_no_missing_tool(tmp_path: Path) -> None:
    broken = module(tmp_path, main='resource "google_storage_bucket" {')
    with (
        pytest.raises(terraform.Failed, match="terraform init"),
        terraform.ready(broken, tmp_path / "copy"),
    ):
        pass


@needs_terraform
def test_without_a_registry_and_a_stand_in_the_reason_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(terraform.STAND_IN, str(tmp_path))
    unreachable = VERSIONS.replace("hashicorp/google", "registry.invalid/hashicorp/google")
    made = module(tmp_path)
    (made / "versions.tf").write_text(unreachable)
    with (
        pytest.raises(tools.Missing, match=terraform.STAND_IN),
        terraform.ready(made, tmp_path / "copy"),
    ):
        pass
