"""Runs dbt in this process, and reads its manifest: every table name in Python comes from there."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import orjson

from python_jobs.infra import usage
from python_jobs.infra.errors import ConnectionFailed, DbtFailed, SettingsError, Terminated
from python_jobs.infra.logs import Event, inherited, is_json, log
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import Connection, Settings

QUIET = ("--log-level", "none", "--log-level-file", "info")
"""Progress and errors reach people through this module; dbt's own words go to logs/dbt.log."""

FAILED = ("error", "fail", "runtime error", "partial success")
LEVELS = {"warn": logging.WARNING, "error": logging.ERROR}
"""dbt's own events that are logged, by dbt's level."""

LOGGED_ELSEWHERE = re.compile(
    r"Log\w+Result|\w*RunResult\w*|\w+OnRun|AdapterEventError|MainStackTrace|BehaviorChangeEvent"
)
"""Events that repeat what became of a node or of a command, and one that is meant: what a later dbt
will do otherwise is read when dbt is updated, and not in each run."""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")

KEPT_PROJECTS = 4
"""Parsed projects in memory, of some tens of MB each; a process seldom has more than two."""

_PARSED: dict[tuple[str, ...], Any] = {}
"""dbt's Manifest by target folder, use case and digest of what decides it, the last used last."""

_NAMES: dict[str, dict[str, str]] = {}
"""`Dbt.names` by the digest of what decides it."""

Progress = Callable[[int, int, str], None]
"""Called with (done, total, name of the node) as a dbt command goes on."""


class Dbt:
    """dbt over one project, one connection, one set of settings and one use case."""

    def __init__(
        self, project: Path, connection: Connection, settings: Settings, use_case: str
    ) -> None:
        """Run dbt for one use case: its models, beside those that all use cases share."""
        self.project = project
        self.connection = connection
        self.settings = settings
        self.use_case = use_case
        self.target_path = project / os.environ.get("DBT_TARGET_PATH", "target")

    def build(self, selector: str, on_progress: Progress | None = None) -> None:
        """Build a stage; unit tests belong to `make test`, not to a run.

        Args:
            selector: of selectors.yml.
            on_progress: called for each node.

        Raises:
            ConnectionFailed, DbtFailed: see `run`.
        """
        # Events say what ran; dbt's own files of it would cost seconds a stage.
        arguments = ("--selector", selector, "--exclude-resource-type", "unit_test")
        self.run("build", "--no-write-json", *arguments, on_progress=on_progress)

    def run(self, command: str, *arguments: str, on_progress: Progress | None = None) -> Any:  # noqa: ANN401 - as below
        """Run a dbt command over the project as this process has parsed it.

        Returns:
            What dbt returns of the command: for most a RunExecutionResult.

        Raises:
            ConnectionFailed: the emulator does not answer.
            DbtFailed: the command failed; the message names the first nodes that did and why.
        """
        self._check_endpoint()
        return self._invoke(self._parsed(), command, *arguments, on_progress=on_progress)

    def _invoke(
        self,
        parsed: Any,  # noqa: ANN401 - dbt's Manifest; importing it takes seconds
        command: str,
        *arguments: str,
        on_progress: Progress | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the command gives
        """Let dbt do a command over a parsed project, or parse it on the way (None)."""
        from dbt.cli.main import dbtRunner

        runner = dbtRunner(parsed, callbacks=[inherited(_listener(on_progress))])
        # Of each command alike: where it changes, dbt parses the whole project anew.
        with _environment("SHELFCAST_USE_CASE", self.use_case):
            result = runner.invoke([*QUIET, *command.split(), *self._where(), *arguments])
        if isinstance(result.exception, Terminated):
            raise result.exception
        if not result.success:
            raise DbtFailed(f"dbt {command} failed. {_failures(result)}")
        return result.result

    def _parsed(self) -> Any:  # noqa: ANN401 - as above
        """The project as it now stands, parsed once in this process for all of its commands."""
        digest = self._digest()
        key = (str(self.target_path), self.use_case, digest)
        if key not in _PARSED:
            return self._parse(digest)
        _PARSED[key] = _PARSED.pop(key)  # the newest
        return _PARSED[key]

    def _parse(self, digest: str) -> Any:  # noqa: ANN401 - as above
        """Parse the project, store its digest, and drop the least recently used project."""
        parsed = self._parsed_by_dbt()
        self._mark.write_text(digest)
        key = (str(self.target_path), self.use_case, digest)
        _PARSED.pop(key, None)
        while len(_PARSED) >= KEPT_PROJECTS:
            del _PARSED[next(iter(_PARSED))]
        _PARSED[key] = parsed
        return parsed

    def _parsed_by_dbt(self) -> Any:  # noqa: ANN401 - as above
        """dbt's Manifest, which it also writes to the target folder."""
        return self._invoke(None, "parse")

    @property
    def _mark(self) -> Path:
        """Stores the digest of the inputs that manifest.json was parsed from."""
        return self.target_path / "shelfcast.digest"

    def manifest(self) -> dict[str, Any]:
        """The manifest of the project as it now stands, parsed anew where something changed.

        Raises:
            ConnectionFailed, DbtFailed: see `run`.
            SettingsError: profiles.yml does not read SHELFCAST_DATASET.
        """
        digest, manifest = self._digest(), self._read_manifest()
        is_fresh = self._mark.is_file() and self._mark.read_text() == digest
        if manifest is None or not is_fresh or not self._is_ours(manifest):
            self._check_endpoint()
            self._parse(digest)
            manifest = self._read_manifest()
        if manifest is None or not self._is_ours(manifest):
            raise SettingsError(
                f"{self.target_path} holds a manifest of another target than dataset "
                f"'{self.connection.dataset}'. Set SHELFCAST_DATASET as profiles.yml reads it."
            )
        return manifest

    def names(self) -> dict[str, str]:
        """The relations of the project as it now stands (see `names_of`), read once a process.

        Raises:
            ConnectionFailed, DbtFailed, SettingsError: see `manifest`.
        """
        digest = self._digest()
        if digest not in _NAMES:
            _NAMES[digest] = names_of(self.manifest())
        return _NAMES[digest]

    def looking_back(self, origin: Origin) -> Dbt:
        """The same project as if its active run were of one origin; for `compiled` alone.

        It has a target folder of its own, so that neither parses for the other.
        """
        given = {
            "use_case": self.use_case,
            "origin_date": f"{origin.origin_date}",
            "as_of_at": origin.as_of_at.isoformat(sep=" "),
        }
        variables = {**self.settings.dbt_vars, "look_back_from": given}
        settings = self.settings.model_copy(update={"dbt_vars": variables})
        other = Dbt(self.project, self.connection, settings, self.use_case)
        other.target_path = self.target_path / "looking_back"
        return other

    def compiled(self, names: Iterable[str] = ()) -> dict[str, Any]:
        """Compile models and all before them, or the whole project; nothing is built.

        Returns:
            The manifest, with `compiled_code` in each of those models.

        Raises:
            ConnectionFailed, DbtFailed: see `run`.
        """
        chosen = [f"+{name}" for name in names]
        self.run("compile", *(["--select", *chosen] if chosen else []))
        manifest = self._read_manifest()
        assert manifest is not None
        return manifest

    def _read_manifest(self) -> dict[str, Any] | None:
        """The manifest; None where there is none, or one that was cut short."""
        path = self.target_path / "manifest.json"
        try:
            manifest = orjson.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return manifest if isinstance(manifest, dict) and "sources" in manifest else None

    def _is_ours(self, manifest: dict[str, Any]) -> bool:
        """dbt run by hand may have parsed the project for another dataset since."""
        logs = [node for node in manifest["sources"].values() if node["source_name"] == "logs"]
        return all(node["schema"] == f"{self.connection.dataset}_logs" for node in logs)

    def _where(self) -> list[str]:
        folders = ["--project-dir", str(self.project), "--profiles-dir", str(self._profiles_dir())]
        folders += ["--target", self.connection.target, "--target-path", str(self.target_path)]
        if self.settings.dbt_vars:
            folders += ["--vars", orjson.dumps(self.settings.dbt_vars).decode()]
        return folders

    def _profiles_dir(self) -> Path:
        named = os.environ.get("DBT_PROFILES_DIR")
        folder = Path(named) if named else self.project
        if not (folder / "profiles.yml").is_file():
            raise SettingsError(
                f"{folder} has no profiles.yml. Copy profiles.example.yml to profiles.yml "
                "(`make setup` does)."
            )
        return folder

    def _check_endpoint(self) -> None:
        """The client would try an emulator that is not there for ten minutes."""
        if self.connection.bigquery_endpoint is not None:
            check_answers(self.connection.bigquery_endpoint)

    def _digest(self) -> str:
        return hashlib.sha256("\n".join(self._decisive()).encode()).hexdigest()

    def _decisive(self) -> list[str]:
        """The inputs of the manifest: the project's files, the connection, the settings."""
        folders = [self.project / name for name in ("models", "macros", "seeds", "tests/data")]
        files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
        files += [self.project / "dbt_project.yml", self._profiles_dir() / "profiles.yml"]
        parts = [f"{path}:{path.stat().st_mtime_ns}:{path.stat().st_size}" for path in files]
        parts += [self.connection.target, self.connection.dataset]
        return [*parts, orjson.dumps(self.settings.dbt_vars).decode()]


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for the block, then give it its old value again."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def check_answers(endpoint: str) -> None:
    """Check that something listens where an emulator should.

    Raises:
        ConnectionFailed: nothing does.
    """
    address = urlparse(endpoint)
    try:
        with socket.create_connection((address.hostname or "", address.port or 80), timeout=3):
            return
    except OSError as error:
        raise ConnectionFailed(
            f"no BigQuery emulator answers at {endpoint} ({error}). "
            "Start it with `shelfcast local start`."
        ) from error


def _listener(on_progress: Progress | None) -> Callable[[Any], None]:
    """The callback for dbt's events, from any thread."""

    def hear(event: Any) -> None:  # noqa: ANN401 - dbt's event is a generated protobuf class
        name, data = event.info.name, event.data
        if name == "NodeFinished":
            _hear_node(data.node_info, data.run_result)
        elif event.info.level in LEVELS and is_json() and not LOGGED_ELSEWHERE.fullmatch(name):
            level = LEVELS[event.info.level]
            kind = Event.DBT_FAILED if level == logging.ERROR else Event.DBT_WARNED
            log(kind, f"dbt: {_plain(event.info.msg)}", level=level, dbt_event=name)
        if on_progress is None:
            return
        if name in ("LogModelResult", "LogSeedResult"):
            on_progress(data.index, data.total, data.node_info.node_name)
        elif name == "LogTestResult":
            on_progress(data.index, data.num_models, data.name)

    return hear


def _hear_node(node: Any, result: Any) -> None:  # noqa: ANN401 - generated protobuf classes
    """Count what a node's query cost; where machines read the log, say how the node ended."""
    cost = {name: _whole(result.adapter_response, name) for name in ("bytes_billed", "slot_ms")}
    usage.add(cost["bytes_billed"], cost["slot_ms"])
    if not is_json():
        return
    event, level = Event.DBT_NODE_ENDED, logging.DEBUG
    if result.status in FAILED:
        event, level = Event.DBT_NODE_FAILED, logging.ERROR
    elif result.status == "warn":
        event, level = Event.DBT_NODE_WARNED, logging.WARNING
    log(
        event,
        f"dbt: {node.node_name}: {_plain(result.message) or result.status}",
        level=level,
        node=node.unique_id,
        status=result.status,
        seconds=round(result.execution_time, 3),
        bytes_processed=_whole(result.adapter_response, "bytes_processed"),
        **cost,
    )


def _whole(response: Any, name: str) -> int | None:  # noqa: ANN401 - a generated protobuf class
    """A number of an adapter's response; None where it has none."""
    return int(response[name]) if name in response else None


def _plain(text: str) -> str:
    return COLOURS.sub("", text)


def _failures(result: Any) -> str:  # noqa: ANN401 - dbtRunnerResult holds whatever the command gives
    if result.exception is not None:
        return str(result.exception)
    failed = [  # an operation has no node
        f"{node.node.name if hasattr(node, 'node') else node.unique_id.split('.')[-1]}: "
        f"{' '.join(str(node.message).split())}"
        for node in getattr(result.result, "results", [])
        if node.status in FAILED
    ]
    return "; ".join(failed[:3]) + (f"; and {len(failed) - 3} more" if len(failed) > 3 else "")


def names_of(manifest: dict[str, Any]) -> dict[str, str]:
    """Every relation by its short name: models and seeds by name, sources by source.table.

    Log tables (source `logs`) are also known by their table's name alone.
    """
    names = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed"):
            names[node["name"]] = _quoted(node["database"], node["schema"], node["alias"])
    for source in manifest["sources"].values():
        name = _quoted(source["database"], source["schema"], source["identifier"])
        names[f"{source['source_name']}.{source['name']}"] = name
        if source["source_name"] == "logs":
            names[source["name"]] = name
    return names


def _quoted(*parts: Sequence[str]) -> str:
    return ".".join(f"`{part}`" for part in parts)
