"""What a run of the command line logs where machines read it, dbt's own events among it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from python_jobs.cli.app import main
from python_jobs.infra import logs
from python_jobs.infra.errors import DbtFailed
from python_jobs.runs import issue
from tests.support import golden
from tests.support.commands import shelfcast
from tests.support.data_tests import data_tests
from tests.support.site import Site

ON_CLOUD_RUN = {
    "CLOUD_RUN_JOB": "predict-weekly",
    "CLOUD_RUN_EXECUTION": "predict-weekly-abc12",
    "CLOUD_RUN_TASK_INDEX": "0",
    "CLOUD_RUN_TASK_COUNT": "1",
    "CLOUD_RUN_TASK_ATTEMPT": "0",
}
REPLAY = ("replay", "--from", f"{golden.FIRST}", "--to", f"{golden.SECOND}", "--as-issued")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers, level = logs.LOGGER.handlers, logs.LOGGER.level
    yield
    logs.about()
    logs.set_up(io.StringIO(), {"SHELFCAST_LOG_FORMAT": "text"})
    logs.LOGGER.handlers, logs.LOGGER.level = handlers, level


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """With a project that has a broken model, a data test that fails and one that warns."""
    site = golden.make(make_site())
    project = site.copy_project()
    (project / "models/staging/broken.sql").write_text("select no_such_column from unnest([1])")
    for name, severity in (("always_fails", "error"), ("always_warns", "warn")):
        text = f"{{{{ config(severity='{severity}') }}}} select 1 as one"
        (project / f"tests/data/{name}.sql").write_text(text)
    return site


@pytest.fixture(scope="module")
def sound(make_site: Callable[[], Site]) -> Site:
    return golden.make(make_site())


@pytest.fixture(scope="module")
def replayed(sound: Site) -> Result:
    with data_tests():
        return shelfcast(sound, *REPLAY, **ON_CLOUD_RUN)


def entries_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def of_event(entries: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["event"] == event]


def test_on_cloud_run_a_run_writes_nothing_but_json_to_stdout(replayed: Result) -> None:
    assert replayed.exit_code == 0, replayed.output
    assert replayed.stderr == ""
    entries = entries_of(replayed.stdout)
    assert [entries[0]["event"], entries[-1]["event"]] == ["run_started", "run_ended"]
    assert {entry["run_id"] for entry in entries} == {"predict-weekly-abc12"}
    label = entries[-1]["logging.googleapis.com/labels"]
    assert label["job"] == "predict-weekly"
    assert (label["run_kind"], label["use_case"]) == ("replay", "sku_weekly")


def test_each_node_of_dbt_is_a_line_below_what_people_look_at(replayed: Result) -> None:
    ended = of_event(entries_of(replayed.stdout), "dbt_node_ended")
    (node,) = [one for one in ended if one["node"] == "model.shelfcast.forecasts"]
    assert node["severity"] == "DEBUG"
    assert node["status"] == "success"
    assert node["seconds"] > 0
    assert node["bytes_billed"] is None  # the emulator tells nothing
    assert len(ended) > 100


def test_each_familys_part_of_a_step_is_logged_and_recorded(replayed: Result, sound: Site) -> None:
    told = of_event(entries_of(replayed.stdout), "model_step_ended")
    assert {(one["step"], one["model_name"]) for one in told} == {
        ("train", "level"),
        ("predict", "level"),
    }
    rows = sound.read(
        """
        select steps.step, steps.seconds, parts.seconds as part, parts.model_name, parts.status,
            steps.model_name as no_model, steps.bytes_billed
        from {run_log} as steps
        inner join {run_log} as parts on steps.step = parts.step and steps.run_id = parts.run_id
        where steps.event = 'ended' and parts.event = 'model_ended'
        order by steps.step
        """
    )
    assert list(rows["step"]) == ["predict", "train"]
    assert set(rows["model_name"]) == {"level"}
    assert set(rows["status"]) == {"done"}
    assert ((rows["part"] > 0) & (rows["part"] <= rows["seconds"])).all()
    assert rows["no_model"].isna().all()
    assert rows["bytes_billed"].isna().all()


def test_what_a_run_cost_adds_up_to_its_log(replayed: Result, sound: Site) -> None:
    sound.context().dbt.run("run", "--select", "run_costs")
    rows = sound.read("select * from {run_costs} order by origin_date")
    assert [f"{day:%Y-%m-%d}" for day in rows["origin_date"]] == [golden.ORIGIN_1, golden.ORIGIN_2]
    assert list(rows["n_forecasts"]) == [4, 4]
    logged = sound.read("select sum(seconds) as n from {run_log} where event = 'ended'")
    assert rows["seconds"].sum() == pytest.approx(logged["n"].iloc[0])
    assert rows["compute_usd"].sum() == pytest.approx(rows["seconds"].sum() * 0.000044)
    assert rows["cost_usd"].isna().all()


def test_nodes_of_dbt_that_fail_or_warn_are_lines_with_the_run(site: Site) -> None:
    logs.set_up(stream := io.StringIO(), {})
    context = site.context()
    logs.about(run_id="R1", use_case="sku_weekly")
    with data_tests(), pytest.raises(DbtFailed, match=r"; (broken|always_fails): ") as stopped:
        context.dbt.run("build", "--select", "broken", "always_fails", "always_warns")
    assert str(stopped.value).startswith("dbt build failed. ")
    entries = entries_of(stream.getvalue())
    assert {entry["run_id"] for entry in entries} == {"R1"}
    failed = {one["node"].split(".")[2]: one for one in of_event(entries, "dbt_node_failed")}
    assert set(failed) == {"broken", "always_fails"}
    assert {one["severity"] for one in failed.values()} == {"ERROR"}
    assert "no_such_column" in failed["broken"]["message"]
    assert failed["always_fails"]["status"] == "fail"
    (warned,) = of_event(entries, "dbt_node_warned")
    assert warned["severity"] == "WARNING"
    assert "always_warns" in warned["message"]
    assert len(entries) == 3  # nothing twice, and no node that is well


def test_an_error_of_dbt_that_is_no_nodes_is_a_line_too(site: Site) -> None:
    logs.set_up(stream := io.StringIO(), {})
    with pytest.raises(DbtFailed):
        site.context().dbt.run("run-operation", "no_such_macro")
    told = of_event(entries_of(stream.getvalue()), "dbt_failed")
    assert {one["severity"] for one in told} == {"ERROR"}
    assert all("no_such_macro" in one["message"] for one in told)
    assert "Traceback" not in stream.getvalue()


def test_people_at_a_terminal_see_no_more_of_dbt_than_before(site: Site) -> None:
    logs.set_up(stream := io.StringIO(), {"SHELFCAST_LOG_FORMAT": "text"})
    with pytest.raises(DbtFailed):
        site.context().dbt.run("build", "--select", "broken")
    assert stream.getvalue() == ""


def broken_run(*_: object) -> None:
    raise KeyError("promo_share")


@pytest.fixture
def run_that_breaks(sound: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(issue, "issue", broken_run)
    for name, value in sound.environment().items():
        monkeypatch.setenv(name, value)
    return lambda **environment: CliRunner().invoke(main, ["run"], env=environment)


def test_an_error_nobody_expected_is_one_line_and_exit_code_1(
    run_that_breaks: Callable[..., Result],
) -> None:
    result = run_that_breaks(**ON_CLOUD_RUN)
    assert result.exit_code == 1
    assert result.stderr == ""
    (entry,) = entries_of(result.stdout)
    assert (entry["severity"], entry["event"]) == ("ERROR", "run_failed")
    assert entry["message"] == "unforeseen KeyError: 'promo_share'"
    assert entry["use_case"] == "sku_weekly"
    assert "in broken_run" in entry["stack_trace"]


def test_at_a_terminal_its_traceback_is_in_the_debug_log(
    run_that_breaks: Callable[..., Result], tmp_path: Path
) -> None:
    result = run_that_breaks(SHELFCAST_LOG_FORMAT="text", DBT_LOG_PATH=str(tmp_path))
    assert result.exit_code == 1
    kept = tmp_path / "shelfcast-debug.log"
    (line,) = result.stderr.splitlines()
    assert line.endswith(
        "error: unforeseen KeyError: 'promo_share'. This is a fault of Shelfcast; its traceback is "
        f"in {kept}."
    )
    assert "in broken_run" in kept.read_text()


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["run", "--nonsense"], {}, "No such option '--nonsense'. See `main run --help`."),
        (["run"], {"SHELFCAST_LOG_FORMAT": "yaml"}, "SHELFCAST_LOG_FORMAT is 'yaml', not auto"),
        (
            ["run"],
            {"SHELFCAST_MAXIMUM_BYTES_BILLED": "1TB"},
            "SHELFCAST_MAXIMUM_BYTES_BILLED is '1TB', not a whole number of bytes above 0",
        ),
    ],
)
def test_bad_usage_on_cloud_run_is_one_line_and_exit_code_2(
    sound: Site, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = shelfcast(sound, *arguments, **ON_CLOUD_RUN, **environment)
    assert result.exit_code == 2
    (entry,) = entries_of(result.stdout)
    assert (entry["severity"], entry["event"]) == ("ERROR", "run_failed")
    assert entry["message"].startswith(message)
