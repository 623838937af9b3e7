"""A weekly cycle that the container does itself, against emulators on this machine.

First load and training, a Wednesday (whose task is killed and retried), four weeks of actuals land,
the Wednesdays in between are caught up, a Friday that tells of a breach, a retraining of the
combinations that somebody names, the next Wednesday (started twice at once). Each is a task as
Cloud Run starts it: the image, the command, the environment, a file system of its own. The clocks
of tasks and emulators are moved with libfaketime, so that `weekly` issues for its own Wednesday and
the freshness of sources is judged on that day.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from google.cloud import storage

from deploy.check import tools
from deploy.check.container import Ended, Failed, Image, Task
from deploy.check.image import TAG
from python_jobs.local import stack
from python_jobs.local.demo_data import DemoSettings, generate
from python_jobs.runs.context import RunContext, open_context

FAKE_TIME = Path("/usr/lib/x86_64-linux-gnu/faketime")
TRUE_STILL = {
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "DONT_FAKE_MONOTONIC": "1",
    "NO_FAKE_STAT": "1",
}
KEPT = {"SHELFCAST_DEPLOY_TOOLS"}
MOSCOW = ZoneInfo("Europe/Moscow")
LAST_WEDNESDAY = date(2026, 10, 21)
FIRST_WEDNESDAY = LAST_WEDNESDAY - timedelta(weeks=5)
FRIDAY = LAST_WEDNESDAY - timedelta(days=5)
DATA = DemoSettings(LAST_WEDNESDAY + timedelta(days=1), n_units=2, n_channels=2, n_skus=8, weeks=90)
HORIZON = 4
BREACHING = "N1"
TIMES_MORE = 8
"""One unit sells eight times as much as before in one week and an eighth in the next: no forecast
that knows the week before can be right about both."""

SWINGING_WEEKS = [FIRST_WEDNESDAY + timedelta(weeks=n, days=-2) for n in range(5)]

TARGETS = "N1|*|A17,*|retail|A17"
N_TARGETS = 3
BUCKET = "shelfcast-check"
KILL_AT = '"step":"predict"'
WAIT_SECONDS = 1800.0

ISSUED = """
select
    count(*) as n,
    count(distinct concat(series_id, '/', model_name, '/', horizon_step)) as n_distinct,
    countif(is_champion) as n_champion,
    count(distinct series_id) as n_series
from {forecasts}
where origin_date = @origin
"""
LOGGED_TWICE = """
select count(*) as n from (
    select run_id, series_id, model_name, origin_date, horizon_step
    from {forecast_log}
    group by run_id, series_id, model_name, origin_date, horizon_step
    having count(*) > 1
)
"""
SCORED = """
select count(*) as n from {forecast_errors}
where is_champion and is_scored and run_kind = 'issued'
"""
DECIDED = "select series_id, decision from {retraining_log} where run_id = @run_id"
RUNS_OF = "select distinct run_id from {forecast_log} where origin_date = @origin"


@dataclass(frozen=True)
class Row:
    """A line of the summary."""

    what: str
    command: str
    clock: str
    seconds: float
    code: int
    found: str


@dataclass
class Cycle:
    """The cycle while it runs: its folders and the result of each task.

    Attributes:
        offsets: of the clocks, in seconds, by the instant of the story that they were set to.
    """

    image: Image
    context: RunContext
    bucket: storage.Bucket
    data: Path
    warehouse_clock: Path
    rows: list[Row] = field(default_factory=list)
    offsets: dict[datetime, str] = field(default_factory=dict)

    def play(self) -> None:
        """Play the whole story.

        Raises:
            Failed: a task ended otherwise than it should, or left something else behind.
        """
        first, friday, last = _wednesday(FIRST_WEDNESDAY), _day(FRIDAY), _wednesday(LAST_WEDNESDAY)
        self.load("first load: plan", "promotions.csv", "promotions", first)
        self.load("first load: weather", "weather_daily.csv", "weather", first)
        self.load("first load: sales", self._sales("until-then.csv", None, first), "sales", first)
        self.do("first training", "train-models", first, "train")
        self.a_killed_wednesday(first)
        weeks = self._sales("four-weeks.csv", first, friday)
        self.load("four weeks of actuals land", weeks, "sales", friday)
        self.catch_up(friday)
        self.a_friday(friday)
        self.a_retraining(friday + timedelta(hours=10))
        self.load("the last week", self._sales("last.csv", friday, last), "sales", last)
        self.a_wednesday_started_twice(last)
        twice = self._count(LOGGED_TWICE)
        _expect(twice == 0, f"{twice} forecasts were written twice by one run")

    def load(self, what: str, name: str, kind: str, clock: datetime) -> None:
        """Put a file into the bucket, and have a task load it."""
        self.bucket.blob(f"files/{name}").upload_from_filename(str(self.data / name))
        uri = f"gs://{self.bucket.name}/files/{name}"
        self.do(what, "load", clock, "load", uri, "--as", kind)

    def a_killed_wednesday(self, clock: datetime) -> None:
        """Kill the task of the first Wednesday half-way; Cloud Run starts it again."""
        start, name = time.monotonic(), "predict-weekly-first"
        task = self._start("predict-weekly", name, clock, "run")
        _wait_for(task, KILL_AT)
        task.kill()
        ended = task.wait()
        self._note("a Wednesday, killed", "run", clock, start, ended, "killed while it predicts")
        _expect(ended.code != 0, "the killed task ended well")
        _expect(self._issued(clock)["n"] == 0, "a killed task has published")
        self.do("… and retried", "predict-weekly", clock, "run", name=name, attempt=1)
        self._expect_issued(clock)

    def catch_up(self, clock: datetime) -> None:
        """Forecast the Wednesdays in between as if they had been issued."""
        after, before = FIRST_WEDNESDAY + timedelta(days=1), FRIDAY
        days = ("--from", f"{after}", "--to", f"{before}")
        what = "missed Wednesdays caught up"
        self.do(what, "predict-weekly", clock, "replay", *days, "--as-issued")
        for weeks in (1, 2, 3, 4):
            self._expect_issued(_wednesday(FIRST_WEDNESDAY + timedelta(weeks=weeks)))

    def a_friday(self, clock: datetime) -> None:
        """Monitor: the weeks are scored, and the unit that nobody could foresee has an alert."""
        ended = self.do("a Friday: a breach", "monitor-performance", clock, "monitor")
        scored = self._count(SCORED)
        _expect(scored > 0, "nothing was scored")
        alerts = [line for line in entries(ended) if line.get("event") == "accuracy_alert"]
        breaching = [
            line
            for line in alerts
            if (line["alert"], line["segment"]) == ("wape", BREACHING) and line["n_periods"] >= 2
        ]
        _expect(bool(breaching), f"no accuracy_alert of {BREACHING} among {len(alerts)}")
        self._add(f"{scored} rows scored, {len(alerts)} alerts: {breaching[0]['message']}")

    def a_retraining(self, clock: datetime) -> None:
        """Retrain the combinations that an operator names."""
        self.do(
            *("a retraining by hand", "retrain-models", clock, "retrain"),
            name="retrain-models-byhand",
            TARGET_COMBINATIONS=TARGETS,
        )
        decided = self.context.warehouse.read(DECIDED, run_id="retrain-models-byhand")
        names = set(decided["series_id"])
        _expect(len(names) == N_TARGETS, f"{TARGETS}: decisions for {sorted(names)}")
        counts = decided["decision"].value_counts()
        self._add(", ".join(f"{n} {decision}" for decision, n in counts.items()))

    def a_wednesday_started_twice(self, clock: datetime) -> None:
        """Start the last Wednesday's run twice at once: one of them does it, the other says so."""
        start, names = time.monotonic(), ("predict-weekly-one", "predict-weekly-two")
        tasks = [self._start("predict-weekly", name, clock, "run") for name in names]
        ended = [task.wait() for task in tasks]
        for one, name in zip(ended, names, strict=True):
            self._note(f"the next Wednesday, {name}", "run", clock, start, one, "")
        _expect(sorted(one.code for one in ended) == [0, 1], "not one of two runs was refused")
        done = names[[one.code for one in ended].index(0)]
        refused = next(one for one in ended if one.code == 1)
        messages = [line["message"] for line in entries(refused) if line["severity"] == "ERROR"]
        said = f"is held by run {done}"
        _expect(any(said in line for line in messages), f"the refused run says {messages}")
        runs = self.context.warehouse.read(RUNS_OF, origin=_origin(clock))
        _expect(list(runs["run_id"]) == [done], f"forecasts of {list(runs['run_id'])}")
        self._expect_issued(clock)

    def do(
        self,
        what: str,
        job: str,
        clock: datetime,
        *command: str,
        name: str = "",
        attempt: int = 0,
        **environment: str,
    ) -> Ended:
        """Run a task that must end well, and note it."""
        start = time.monotonic()
        name = name or f"{job}-{len(self.rows):05d}"
        ended = self._start(job, name, clock, *command, attempt=attempt, **environment).wait()
        self._note(what, " ".join(command), clock, start, ended, "")
        if ended.code:
            raise Failed(f"{what}: exit code {ended.code}\n{_grave(ended)}")
        _expect_log(ended, name, what)
        return ended

    def _start(
        self,
        job: str,
        name: str,
        clock: datetime,
        *command: str,
        attempt: int = 0,
        **environment: str,
    ) -> Task:
        # From an instant of the story on time goes by: a later task is at work later.
        offset = self.offsets.setdefault(clock, _offset(clock))
        given = {
            "CLOUD_RUN_JOB": job,
            "CLOUD_RUN_EXECUTION": name,
            "CLOUD_RUN_TASK_INDEX": "0",
            "CLOUD_RUN_TASK_COUNT": "1",
            "CLOUD_RUN_TASK_ATTEMPT": str(attempt),
            **_clock(offset),
        }
        self.warehouse_clock.write_text(offset, encoding="utf-8")
        return self.image.start("shelfcast", *command, **given, **environment)

    def _note(
        self, what: str, command: str, clock: datetime, start: float, ended: Ended, found: str
    ) -> None:
        seconds = time.monotonic() - start
        at = f"{clock.astimezone(MOSCOW):%a %d %b %H:%M}"
        self.rows.append(Row(what, command, at, seconds, ended.code, found))
        write_row(self.rows[-1])

    def _add(self, found: str) -> None:
        last = self.rows[-1]
        self.rows[-1] = Row(last.what, last.command, last.clock, last.seconds, last.code, found)
        tools.say(f"      {found}")

    def _sales(self, name: str, after: datetime | None, until: datetime) -> str:
        """Write the sales that came to be known in between, with the unit that swings."""
        with (self.data / "sales.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        known = [row for row in rows if (not after or _known(row) > after) and _known(row) <= until]
        with (self.data / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(_swinging(row) for row in known)
        return name

    def _issued(self, clock: datetime) -> Mapping[str, int]:
        if not self.context.warehouse.exists("forecasts"):
            return {"n": 0}
        rows = self.context.warehouse.read(ISSUED, origin=_origin(clock))
        return {str(name): int(value) for name, value in rows.iloc[0].items()}

    def _expect_issued(self, clock: datetime) -> None:
        found = self._issued(clock)
        origin = _origin(clock)
        _expect(found["n"] > 0, f"nothing was issued for {origin}")
        _expect(found["n"] == found["n_distinct"], f"{origin}: rows twice, {found}")
        complete = found["n_champion"] == found["n_series"] * HORIZON
        _expect(complete, f"{origin}: not {HORIZON} rows a series, {found}")
        self._add(
            f"{self.rows[-1].found + '; ' if self.rows[-1].found else ''}"
            f"{found['n']} rows of {found['n_series']} series issued for {origin}"
        )

    def _count(self, statement: str) -> int:
        return int(self.context.warehouse.read(statement)["n"].iloc[0])


def check() -> str:
    """Play the cycle, print its table, and return its last line.

    Raises:
        tools.Missing: libfaketime is not installed.
        Failed: what went wrong.
    """
    start = time.monotonic()
    with _ready() as cycle:
        _expect_clock(cycle.image)
        cycle.play()
    return f"{len(cycle.rows)} tasks, {time.monotonic() - start:.0f} s"


@contextmanager
def _ready() -> Iterator[Cycle]:
    """Lend the image and the emulators that it finds in its environment."""
    if not FAKE_TIME.is_dir():
        raise tools.Missing(f"{FAKE_TIME}: apt-get install libfaketime")
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="shelfcast-cycle-")))
        generate(folder / "data", DATA)
        clock = folder / "clock"
        clock.write_text("+0", encoding="utf-8")
        with _environment(_moving_clock(clock)):
            endpoints = held.enter_context(stack.ephemeral())
        given = {
            **endpoints.environment(),
            "SHELFCAST_TARGET": "local",
            "SHELFCAST_DATASET": "checked",
            "SHELFCAST_MODELS_URI": f"gs://{BUCKET}/models",
        }
        own = {
            "DBT_TARGET_PATH": f"{folder}/target",
            "DBT_LOG_PATH": f"{folder}/logs",
            "DBT_PROFILES_DIR": _profiles(folder),
            "SHELFCAST_PROJECT_DIR": str(tools.ROOT),
        }
        held.enter_context(_environment(given | own))
        bucket = storage.Client(project="shelfcast-local").create_bucket(BUCKET)
        image = Image(TAG, given, {FAKE_TIME: "/opt/faketime"})
        context = open_context("sku_weekly")
        yield Cycle(image, context, bucket, folder / "data", clock)


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a while; what else would name a deployment is away for as long."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("SHELFCAST_")]:
        if name not in given and name not in KEPT:
            del os.environ[name]
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _profiles(folder: Path) -> str:
    example = (tools.ROOT / "profiles.example.yml").read_text(encoding="utf-8")
    (folder / "profiles.yml").write_text(example, encoding="utf-8")
    return str(folder)


def _offset(instant: datetime) -> str:
    return f"{(instant - datetime.now(UTC)).total_seconds():+.0f}"


def _clock(offset: str) -> dict[str, str]:
    """Move a task's clock by an offset; monotonic clocks and times of files stay true."""
    library = "/opt/faketime/libfaketimeMT.so.1"
    return {"LD_PRELOAD": library, "FAKETIME": offset, **TRUE_STILL}


def _moving_clock(file: Path) -> dict[str, str]:
    """Let the clock of a started process follow a file that holds its offset in seconds."""
    library = str(FAKE_TIME / "libfaketimeMT.so.1")
    follow = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1"}
    return {"LD_PRELOAD": library, **follow, **TRUE_STILL}


def _expect_clock(image: Image) -> None:
    """Check that a task's clock can be moved here, before anything relies on it."""
    instant = _wednesday(FIRST_WEDNESDAY)
    program = "import time; print(time.time())"
    seen = float(image.done("python", "-c", program, **_clock(_offset(instant))))
    drift = abs(seen - instant.timestamp())
    _expect(drift < 60, f"libfaketime leaves a task's clock {drift:.0f} s away")


def entries(ended: Ended) -> list[dict[str, Any]]:
    """The log lines of a task: one JSON object a line, on either stream.

    Raises:
        Failed: a line is none.
    """
    found = []
    for line in filter(None, (ended.out + "\n" + ended.err).splitlines()):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            entry = None
        if not isinstance(entry, dict) or not {"severity", "message"} <= set(entry):
            raise Failed(f"a line of the log is no JSON object with severity and message: {line}")
        found.append(entry)
    return found


def _grave(ended: Ended) -> str:
    """The warnings and errors that a task logged, or the end of whatever it wrote."""
    with contextlib.suppress(Failed):
        loud = [line for line in entries(ended) if line["severity"] not in ("DEBUG", "INFO")]
        if loud:
            return "\n".join(f"{line['severity']}: {line['message']}" for line in loud)
    return f"{ended.out}{ended.err}"[-4000:]


def _expect_log(ended: Ended, run_id: str, what: str) -> None:
    steps = [line for line in entries(ended) if str(line.get("event")).startswith("step_")]
    others = {line.get("run_id") for line in steps} - {run_id}
    _expect(not others, f"{what}: steps are logged for run {others}, not {run_id}")


def _wait_for(task: Task, text: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not task.has_said(text):
        if task.process.poll() is not None or time.monotonic() > end:
            ended = task.wait()
            raise Failed(f"a task never said {text}:\n{ended.out}{ended.err}"[-3000:])
        time.sleep(0.1)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def _wednesday(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 22, 0, 20, tzinfo=MOSCOW)


def _day(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 0, 0, 20, tzinfo=MOSCOW)


def _origin(clock: datetime) -> date:
    """Last day of the newest week that is complete."""
    day = clock.astimezone(MOSCOW).date()
    return day - timedelta(days=day.weekday() + 1)


def _known(row: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(row["loaded_at"])


def _swinging(row: dict[str, str]) -> dict[str, str]:
    """Let the units of one unit swing from the first Wednesday's week on."""
    if row["unit"] != BREACHING or not row["units_sold"].isdigit():
        return row
    for number, monday in enumerate(SWINGING_WEEKS):
        if row["week_start"] == f"{monday}":
            units = int(row["units_sold"])
            swung = units // TIMES_MORE if number % 2 else units * TIMES_MORE
            return {**row, "units_sold": str(swung)}
    return row


def write_row(row: Row) -> None:
    """Print one line of the summary as soon as it is known."""
    tools.say(
        f"    {row.what:34} {row.clock}  {row.seconds:6.1f} s  exit {row.code:<3} "
        f"{row.command[:48]}" + (f"\n      {row.found}" if row.found else "")
    )
