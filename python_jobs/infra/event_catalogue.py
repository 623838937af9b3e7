"""The meaning of each event and what to do; docs/events.md is made from it.

python -m python_jobs.infra.event_catalogue > docs/events.md
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from python_jobs.infra.logs import LABELS, Event

INFO, WARNING, ERROR, DEBUG = logging.INFO, logging.WARNING, logging.ERROR, logging.DEBUG


@dataclass(frozen=True)
class About:
    """An event for whoever reads the log.

    Attributes:
        levels: the severities that it is logged with.
        means: one sentence.
        todo: one sentence; empty where there is nothing to do.
        fields: its own, beside those that every line has; where a line need not have one, with `?`.
    """

    levels: tuple[int, ...]
    means: str
    todo: str = ""
    fields: tuple[str, ...] = ()


COST = ("seconds", "bytes_billed", "slot_seconds")
NODE = ("node", "status", "seconds", "bytes_processed", "bytes_billed", "slot_ms")

CATALOGUE: dict[Event, About] = {
    Event.RUN_STARTED: About((INFO,), "A run has its lease and begins."),
    Event.RUN_ENDED: About((INFO,), "A run is done and has given its lease back."),
    Event.RUN_FAILED: About(
        (ERROR,),
        "A command ended with exit code 1 (2: bad usage or settings, 143: told to end); the "
        "message says why. `stack_trace` stands where nobody expected the error.",
        "What the message says; then start the run again, with its `--run-id` where it had begun.",
        ("stack_trace?", "@type?"),
    ),
    Event.RUN_OVERDUE: About(
        (ERROR,),
        "`shelfcast check-runs` looked, and a scheduled run has not finished.",
        "See whether it started at all, and why it did not finish; then start it by hand.",
        ("due_at",),
    ),
    Event.RUNS_ON_TIME: About((INFO,), "`shelfcast check-runs` looked, and no run is overdue."),
    Event.LEASE_LOST: About(
        (WARNING,),
        "A run could not renew its lease, or somebody took it over.",
        "See who holds it: a run that was taken over stops by itself before it publishes.",
    ),
    Event.STEP_STARTED: About((INFO,), "A step of a run begins.", fields=("step",)),
    Event.STEP_ENDED: About(
        (INFO,), "A step of a run is done.", fields=("step", "n_in", "n_out", *COST)
    ),
    Event.TASK_ENDED: About(
        (INFO,), "One of a run's tasks is done, and others are not yet.", fields=("task",)
    ),
    Event.MODEL_STEP_ENDED: About(
        (DEBUG,), "What one family took of a step.", fields=("step", "model_name", *COST)
    ),
    Event.STALE_ACTUALS: About(
        (WARNING,),
        "The newest actuals are older than they should be by now.",
        "See why the sales did not arrive; `when_stale` says what becomes of the series.",
        ("periods_stale",),
    ),
    Event.REPLAYED_AS_RESTATED: About(
        (WARNING,),
        "Sales have no `known_at`, so a replay sees corrections that were made later.",
        "Nothing, if that is meant; else map `known_at`.",
    ),
    Event.SERIES_FELL_BACK: About(
        (INFO, WARNING),
        "Series are forecast by a baseline, for the reason that the message gives.",
        "Look at the reason in `forecast_exceptions`; `shelfcast train` where models are missing.",
        ("model_name?", "reason?", "n_series?"),
    ),
    Event.SERIES_REFUSED: About(
        (INFO, WARNING),
        "Series get no forecast, or are not retrained, for the reason that the message gives.",
        "Look at the reason in `forecast_exceptions`.",
        ("model_name?", "reason?", "n_series?", "left_out?"),
    ),
    Event.MODELS_FAULTY: About(
        (WARNING,),
        "Models are missing or cannot be read.",
        "`shelfcast models verify` names them; `shelfcast train` replaces them.",
        ("model_name?", "n_models?", "n_faults?"),
    ),
    Event.FIT_FAILED: About(
        (WARNING,),
        "A family could not be fitted on some series; they fall back.",
        "Read their reasons in `model_log`.",
        ("model_name", "n_failed"),
    ),
    Event.SIGN_CONTRADICTED: About(
        (WARNING,),
        "Models say the contrary of `sign` in the settings; they serve.",
        "Look at the prices and promotions of these series.",
        ("n_models",),
    ),
    Event.PRIORS_IN_FORCE: About(
        (INFO,), "A run of some series, or one shard, uses the priors of an earlier run."
    ),
    Event.FEATURES_UNUSED: About(
        (WARNING,),
        "The use case has features, and this family does not read them: Prophet reads the "
        "regressors only.",
        "Nothing, where another family reads them; else take the features out of the settings.",
        ("model_name",),
    ),
    Event.ACCURACY_ALERT: About(
        (WARNING,),
        "Something that somebody should look at, logged once: `alert` is wape, tracking_signal, "
        "no_forecast or missing_run.",
        "Look at `accuracy_alerts` and the segment's series; `shelfcast retrain --candidates`; for "
        "missing_run start the run that is missing.",
        (
            "alert",
            "segment_type",
            "segment",
            "since_date",
            "target_date",
            "n_periods",
            "value",
            "threshold",
            "n_scored",
            "detail",
        ),
    ),
    Event.NO_NEW_ALERT: About((INFO,), "Monitoring found no alert that was not logged before."),
    Event.TUNED: About(
        (INFO, WARNING),
        "How recipes are chosen, or why there is none to choose.",
        fields=("n_series?", "n_sampled?"),
    ),
    Event.RETRAINED: About(
        (INFO, WARNING),
        "What a retraining decided for a series, and on which numbers; or that none was due.",
        "A warning: start the same retraining again with `--run-id`.",
        ("series_id?", "model_name?", "model_version?", "*"),
    ),
    Event.PROMOTED: About(
        (INFO,),
        "A version was put in service by hand (actor promote or rollback).",
        fields=("series_id", "model_name", "model_version", "actor"),
    ),
    Event.HOLIDAYS_MADE: About((INFO,), "`shelfcast make-holidays` has written the seed."),
    Event.HOLIDAYS_MISSING: About(
        (WARNING,),
        "The seed of holidays ends, or lacks what the settings name.",
        "`shelfcast make-holidays`, then build the image again.",
    ),
    Event.ROWS_LOADED: About((INFO,), "A file was loaded.", fields=("uri?",)),
    Event.OUTSIDE_RANGE: About(
        (WARNING,),
        "A scenario supposes what its models have never seen.",
        "Trust it less, or suppose less.",
        ("n_rows",),
    ),
    Event.ROWS_REJECTED: About(
        (WARNING,),
        "Rows of a source, an upload or a scenario cannot be used.",
        "Read their reasons in `rejected_rows`, and load them mended.",
        ("uri?", "n_rows?"),
    ),
    Event.LOADED_APART: About(
        (INFO,), "`SHELFCAST_LOADING` is apart: plans and weather are left to jobs of their own."
    ),
    Event.OLD_NAME: About(
        (WARNING,),
        "A command or a setting has the name that it had before; it works as ever.",
        "Use its new name, which the message gives.",
    ),
    Event.UPLOAD_REFUSED: About(
        (WARNING,),
        "A file of the inbox, or the inbox, cannot be read; the run goes on without it.",
        "Mend the file, or the right to read it, and `shelfcast load-inbox`.",
        ("uri?",),
    ),
    Event.WEATHER_FETCHED: About((INFO,), "The weather that was due has been fetched."),
    Event.WEATHER_NOT_FETCHED: About(
        (WARNING,),
        "The weather service did not answer; the message says what stands in.",
        "Nothing once; if it comes again, look at the service, the key and its limits.",
    ),
    Event.WEATHER_NOT_KEPT: About(
        (WARNING,), "The service's raw answers could not be kept.", "Look at `cache_uri`."
    ),
    Event.PLACES_MISSING: About(
        (WARNING,),
        "Locations without a place get no weather.",
        "Add them to seeds/places.csv.",
        ("n_locations",),
    ),
    Event.ALREADY_WRITTEN: About((INFO, WARNING), "A file was loaded before; nothing was done."),
    Event.REPORT_WRITTEN: About((INFO,), "`shelfcast report` has written its page."),
    Event.DBT_NODE_ENDED: About(
        (DEBUG,), "dbt has built or tested a node, or skipped it.", fields=NODE
    ),
    Event.DBT_NODE_WARNED: About(
        (WARNING,), "A data test of dbt warns.", "Read what it found.", NODE
    ),
    Event.DBT_NODE_FAILED: About(
        (ERROR,),
        "dbt could not build a node, or a data test failed; `run_failed` follows.",
        "Read its message; the compiled SQL lies under target/.",
        NODE,
    ),
    Event.DBT_WARNED: About(
        (WARNING,), "dbt warns of the project, not of a node.", fields=("dbt_event",)
    ),
    Event.DBT_FAILED: About(
        (ERROR,),
        "A command of dbt failed before any node; `run_failed` follows.",
        "What the message says: settings, profiles.yml, rights.",
        ("dbt_event",),
    ),
    Event.LIBRARY_WARNED: About(
        (WARNING, ERROR),
        "A library that Shelfcast uses warns.",
        "Nothing, unless a run failed at that time.",
        ("logger",),
    ),
}

HEAD = """# Events of the log

Made by `python -m python_jobs.infra.event_catalogue`; a test holds it to the code. Every run and
command logs these: on Cloud Run one JSON object a line on stdout, elsewhere on stderr, as text on a
terminal (`SHELFCAST_LOG_FORMAT`: auto, json or text).

Every entry has `severity`, `message`, `event` and `time`; within a run also `run_id`, `run_kind`
and `use_case`; on Cloud Run `job`, `execution`, `task_index` and `attempt`. {labels} are labels
too: `labels.run_id="…"` in Logs Explorer. `cut_fields` names what was cut from an entry of more
than 200 KB. What is not known is null. DEBUG lines are written on Cloud Run only; lines of dbt and
of libraries where the log is JSON.

| event | severity | means | what to do | its own fields (`?`: not always) |
|---|---|---|---|---|
"""


def as_markdown() -> str:
    """The page docs/events.md."""
    labels = ", ".join(f"`{name}`" for name in LABELS)
    rows = [
        f"| `{event.value}` | {', '.join(map(logging.getLevelName, about.levels))} | {about.means} "
        f"| {about.todo} | {_named(about.fields)} |"
        for event, about in CATALOGUE.items()
    ]
    return HEAD.format(labels=labels) + "\n".join(rows) + "\n"


def _named(fields: tuple[str, ...]) -> str:
    """The fields in code marks; a star stands for the numbers that a decision rests on."""
    names = [f"`{name.rstrip('?')}`{'?' if name.endswith('?') else ''}" for name in fields]
    return ", ".join("the decision's numbers" if one == "`*`" else one for one in names)


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
