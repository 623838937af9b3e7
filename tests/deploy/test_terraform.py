"""The deployment as Terraform would make it, held against what the code does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click
import pytest

from deploy.check import pages
from deploy.check.settings import settings_of
from deploy.check.terraform import Terraform
from python_jobs.checks.settings_check import examine
from python_jobs.cli.app import main
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.logs import Event
from python_jobs.infra.settings import load_settings
from python_jobs.report.looker import links
from python_jobs.report.marts import PAGES
from tests.support import googlesql
from tests.support.datasets import PREFIX, datasets_read, datasets_written, manifest
from tests.support.site import ROOT

EXAMPLE = "examples/distributor.tfvars"


@dataclass(frozen=True)
class Applied:
    """What `terraform test` found, and the deployment that it applied with a mocked provider."""

    summary: str
    failures: list[str]
    outputs: dict[str, Any]
    resources: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def applied(terraform: Terraform) -> Applied:
    said = terraform.run("test", "-json", "-verbose", f"-var-file={EXAMPLE}").stdout
    lines = [json.loads(line) for line in said.splitlines()]
    state = next(
        line["test_state"]
        for line in lines
        if line["type"] == "test_state" and line["@testrun"] == "identities"
    )
    resources: dict[str, list[dict[str, Any]]] = {}
    for one in state["root_module"]["resources"]:
        resources.setdefault(one["type"], []).append(one["values"])
    return Applied(
        summary=next(line["@message"] for line in lines if line["type"] == "test_summary"),
        failures=[line["@message"] for line in lines if line["@level"] == "error"],
        outputs={name: one["value"] for name, one in state["outputs"].items()},
        resources=resources,
    )


def variables_of(job: dict[str, Any]) -> dict[str, str]:
    container = job["template"][0]["template"][0]["containers"][0]
    return {one["name"]: one["value"] for one in container["env"]}


def test_it_is_formatted_and_valid(terraform: Terraform):
    terraform.done("fmt", "-check", "-recursive", "-diff")
    terraform.done("validate")


def test_its_own_tests_pass(applied: Applied):
    assert applied.failures == []
    assert re.fullmatch(r"Success! \d+ passed, 0 failed\.", applied.summary), applied.summary


def test_a_job_is_a_command_that_there_is(applied: Applied):
    for job in applied.resources["google_cloud_run_v2_job"]:
        command: click.Command = main
        arguments = list(job["template"][0]["template"][0]["containers"][0]["args"])
        while isinstance(command, click.Group):
            name = arguments.pop(0)
            assert name in command.commands, f"{job['name']}: shelfcast has no {name}"
            command = command.commands[name]
        command.make_context(command.name or "", arguments)


def test_the_settings_of_a_job_are_sound_and_of_its_time_zone(applied: Applied):
    for job in applied.resources["google_cloud_run_v2_job"]:
        settings = load_settings(ROOT, variables_of(job))
        use_case = settings.use_case("sku_weekly")
        assert use_case.time_zone == "Europe/Moscow"
        assert (use_case.schedule.weekday, f"{use_case.schedule.time}"[:5]) == (
            "wednesday",
            "22:00",
        )
        assert settings.dbt_vars["publish"]["distributor_forecasts_weekly"].startswith("rich.")


def test_settings_are_laid_over_as_python_does_it(applied: Applied):
    own = {
        "schedule": {"weekday": "wednesday", "time": "22:00"},
        "alerts": {"wape": 0.7, "periods": 2},
        "retraining": {"max_series": 50},
        "sources": {"promotions": {"inbox": "gs://distributor-forecasting-staging/inbox"}},
    }
    laid_over = load_settings(
        ROOT, {"SHELFCAST_SETTINGS": json.dumps({"use_cases": {"sku_weekly": own}})}
    )
    for job in applied.resources["google_cloud_run_v2_job"]:
        assert load_settings(ROOT, variables_of(job)).use_cases == laid_over.use_cases


def test_a_variable_of_a_job_is_one_that_people_can_look_up(applied: Applied):
    known = (ROOT / "README.md").read_text()
    for job in applied.resources["google_cloud_run_v2_job"]:
        assert [name for name in variables_of(job) if f"`{name}`" not in known] == []


def test_an_alert_waits_for_an_event_that_is_told(applied: Applied):
    """A line that nobody writes is an alert that never comes."""
    filters = [
        condition["condition_matched_log"][0]["filter"]
        for policy in applied.resources["google_monitoring_alert_policy"]
        for condition in policy["conditions"]
        if condition["condition_matched_log"]
    ]
    waited_for = {
        found
        for one in [*filters, *applied.outputs["log_queries"].values()]
        for found in re.findall(r'jsonPayload\.event(?:=|%3D)(?:"|%22)(\w+)', one)
    }
    assert {"run_failed", "accuracy_alert", "run_overdue"} <= waited_for
    assert waited_for <= {event.value for event in Event}


def test_every_kind_of_accuracy_alert_has_a_policy(applied: Applied):
    told = set(
        re.findall(r"'(\w+)' as alert,", (ROOT / "models/metrics/accuracy_alerts.sql").read_text())
    )
    filters = " ".join(
        condition["condition_matched_log"][0]["filter"]
        for policy in applied.resources["google_monitoring_alert_policy"]
        for condition in policy["conditions"]
        if condition["condition_matched_log"]
    )
    assert told == set(re.findall(r'jsonPayload\.alert="(\w+)"', filters))


def test_an_alert_leads_to_its_page_of_the_runbook(applied: Applied):
    headings = re.findall(r"^#+ (.+)$", (ROOT / "deploy" / "runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    missing = {
        name: link
        for name, link in applied.outputs["alerts"].items()
        if link.partition("#")[2] not in anchors
    }
    assert missing == {}


def test_every_alert_tells_somebody_and_links_the_runbook(applied: Applied):
    channels = [one["id"] for one in applied.resources["google_monitoring_notification_channel"]]
    for policy in applied.resources["google_monitoring_alert_policy"]:
        assert policy["notification_channels"] == channels
        assert policy["documentation"][0]["links"][0]["url"] in applied.outputs["alerts"].values()


def test_the_looker_links_are_those_of_the_command_line(applied: Applied):
    class Names:
        def table(self, mart: str) -> str:
            return f"distributor-forecasting.rich_marts.{mart}"

    found = applied.outputs["looker_links"]
    assert found.keys() == PAGES.keys()
    for page, link in links(Names()).items():  # type: ignore[arg-type]
        ours = dict(parse_qsl(urlsplit(found[page]).query))
        theirs = dict(parse_qsl(urlsplit(link).query))
        theirs.pop("r.reportName")
        assert ours == theirs


@pytest.mark.parametrize(
    ("path", "page"),
    [(pages.PRINCIPALS, pages.principals_page), (pages.DEPLOYMENT, pages.deployment_page)],
)
def test_a_page_is_what_terraform_makes(
    path: str, page: Callable[[pages.Outputs], str], applied: Applied
):
    assert (ROOT / path).read_text() == page(applied.outputs), (
        f"{path} is not what Terraform makes: `make deploy-pages` writes it"
    )


@pytest.mark.parametrize(
    ("account", "selectors"),
    [
        ("predict", ["before_forecast", "priors", "after_forecast"]),
        ("monitor", ["monitoring"]),
        ("train", ["before_forecast", "priors"]),
    ],
)
def test_an_account_may_do_what_its_stages_do_and_write_nothing_else(
    account: str, selectors: list[str], applied: Applied
):
    """Beside the logs, which every job writes, and what the settings publish."""
    granted = {
        (one["dataset_id"], re.split(r"[./]", one["role"])[-1])
        for one in applied.resources["google_bigquery_dataset_iam_member"]
        if one["member"].startswith(f"serviceAccount:shelfcast-{account}@")
    }
    writes = {"dataEditor", "shelfcast_log_appender"}
    writable = {name.removeprefix("rich_") for name, role in granted if role in writes}
    readable = writable | {name.removeprefix("rich_") for name, _ in granted}
    written = set().union(*(datasets_written(one) for one in selectors))
    read = set().union(*(datasets_read(one) for one in selectors))
    assert writable - {"rich"} == written | {"logs"}
    assert read <= readable
    assert "raw" not in writable


def test_no_secret_stands_in_the_configuration():
    for path in (ROOT / "deploy" / "terraform").rglob("*.tf*"):
        text = path.read_text()
        assert "google_secret_manager_secret_version" not in text, path
        assert not re.search(r"(?i)(api_?key|password|token)\s*=\s*\"[^\"]+\"", text), path


def test_every_variable_of_the_example_is_one(terraform: Terraform):
    """Terraform only warns of a value for a variable that does not exist."""
    declared = set()
    for path in Path(terraform.folder).glob("*.tf"):
        declared |= set(re.findall(r'^variable "(\w+)"', path.read_text(), re.MULTILINE))
    given = set(re.findall(r"^(\w+) +=", (terraform.folder / EXAMPLE).read_text(), re.MULTILINE))
    assert given and given <= declared


def test_a_budget_is_made_with_a_project_that_pays_for_the_call():
    """With a person's own credentials the Billing Budgets API answers 403 without one."""
    text = (ROOT / "deploy" / "terraform" / "versions.tf").read_text()
    billing = re.search(r'alias +=  *"billing"(.*?)\n}', text, re.DOTALL)
    assert billing is not None
    assert re.search(r"user_project_override += true", billing[1])
    assert re.search(r"billing_project += var\.project", billing[1])
    assert "google.billing" in (ROOT / "deploy" / "terraform" / "budget.tf").read_text()


def test_wrong_settings_are_found_before_a_plan(terraform: Terraform, tmp_path: Path):
    """Terraform plans them; the jobs would refuse to start."""
    values = tmp_path / "wrong.tfvars"
    example = (terraform.folder / EXAMPLE).read_text()
    values.write_text(example.replace("max_series = 50", "max_serie = 50"))
    assert values.read_text() != example
    with pytest.raises(SettingsError, match="unknown key 'max_serie'"):
        examine({"SHELFCAST_SETTINGS": settings_of(terraform, values)})
    assert "settings of sku_weekly are sound" in examine(
        {"SHELFCAST_SETTINGS": settings_of(terraform, terraform.folder / EXAMPLE)}
    )


def test_a_mart_is_a_table(applied: Applied):
    """Planners may read the marts alone: a view over another dataset is closed to them."""
    planners = {
        one["dataset_id"].removeprefix("rich_")
        for one in applied.resources["google_bigquery_dataset_iam_member"]
        if one["member"] == "group:planners@distributor.example"
    }
    assert planners == {"marts", "rich"}
    models = [one for one in manifest()["nodes"].values() if one["resource_type"] == "model"]
    marts = [one for one in models if one["schema"] == f"{PREFIX}_marts"]
    assert len(marts) > 15
    assert [one["name"] for one in marts if one["config"]["materialized"] == "view"] == []


def test_the_copy_of_the_logs_is_sound_sql(applied: Applied):
    """The script, and the statement that it makes for one table."""
    (schedule,) = (
        one
        for one in applied.resources["google_cloud_scheduler_job"]
        if one["name"] == "shelfcast-snapshots"
    )
    script = json.loads(base64.b64decode(schedule["http_target"][0]["body"]))["query"]
    googlesql.parse(script)
    made = re.search(r"execute immediate (.*?);", script, re.DOTALL)
    assert made is not None
    expression = made[1].replace("log.table_name", "'forecast_log'")
    expression = expression.replace("current_date()", "date '2026-11-30'")
    ((statement,),) = googlesql.execute(f"select {expression} as statement")[1]
    googlesql.parse(statement)
    assert "`distributor-forecasting.rich_snapshots.forecast_log_20261130`" in statement
    assert "clone `distributor-forecasting.rich_logs.forecast_log`" in " ".join(statement.split())
