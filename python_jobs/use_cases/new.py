"""Plan a new use case as a whole before a byte of it is written."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from python_jobs.families import known_families
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import INLINE, Connection, UseCase, load_settings
from python_jobs.use_cases import files
from python_jobs.use_cases.look import Look, Open, is_file, look_at
from python_jobs.use_cases.names import check_free, check_name
from python_jobs.use_cases.proposal import Proposal, Wish
from python_jobs.use_cases.propose import propose
from python_jobs.use_cases.propose_future import add_calendar, add_promotions, add_weather
from python_jobs.use_cases.render import render
from python_jobs.use_cases.settings_text import block, insert


@dataclass(frozen=True)
class Sources:
    """The data of a use case: files or `project.dataset.table`, and countries.

    Attributes:
        sales: past periods, one row per key and date, or several.
        promotions: the plan; empty: none.
        weather: by location and day; empty: none.
        countries: whose public holidays count.
    """

    sales: str
    promotions: str = ""
    weather: str = ""
    countries: Sequence[str] = ()

    def files(self) -> dict[str, str]:
        """The source tables that a file fills, with their files."""
        named = {"sales": self.sales, "promotions": self.promotions, "weather": self.weather}
        return {kind: where for kind, where in named.items() if where and is_file(where)}


@dataclass(frozen=True)
class NewUseCase:
    """Everything that adding a use case writes and says.

    Attributes:
        project: folder of dbt_project.yml.
        use_case: its settings, checked.
        proposal: what was found and decided.
        block: the lines of its settings, without indent.
        settings_path: the file that they go into.
        files: text by path, the settings file with the new block included.
    """

    project: Path
    use_case: UseCase
    proposal: Proposal
    block: list[str]
    settings_path: Path
    files: Mapping[Path, str]

    def write(self) -> None:
        """Write all files, or none of them. Errors are those of `write_all`."""
        files.write_all(self.files)


def plan(
    project: Path,
    environment: Mapping[str, str],
    connection: Connection,
    warehouse: Open,
    wish: Wish,
    sources: Sources,
) -> NewUseCase:
    """Look at the sources and work out the settings and files of a new use case.

    Args:
        project: folder of dbt_project.yml.
        environment: SHELFCAST_SETTINGS may name the settings file in force.
        connection: whose credentials read gs://.
        warehouse: connects to a project's BigQuery; not called where all sources are files.
        wish: name, key and what else the user decided.
        sources: where the data is.

    Raises:
        SettingsError: a name is not allowed or taken, a source cannot be read or mapped, or the
            settings would not be sound; nothing is written.
    """
    check_name(wish.name)
    path = settings_path(project, environment)
    if wish.name in load_settings(project, environment).use_cases:
        raise SettingsError(f"{path} has a use case '{wish.name}' already.")
    _check_families(wish.families)
    proposal = _propose(connection, warehouse, wish, sources)
    lines = block(wish.name, _in_order(proposal.settings), proposal.reasons)
    text = insert(path.read_text("utf-8"), lines, str(path))
    use_case = _checked(project, environment, path, text, wish.name)
    rendered = render(use_case)
    check_free(project, wish.name, rendered)
    written = {**{project / name: one for name, one in rendered.items()}, path: text}
    return NewUseCase(project, use_case, proposal, lines, path, written)


def settings_path(project: Path, environment: Mapping[str, str]) -> Path:
    """The file whose `use_cases:` are in force.

    Raises:
        SettingsError: the settings stand in SHELFCAST_SETTINGS itself.
    """
    own = environment.get(INLINE, "")
    if own.lstrip().startswith("{"):
        raise SettingsError(
            f"{INLINE} holds the settings itself, as JSON. Unset it, or let it name a file."
        )
    return Path(own) if own else project / "dbt_project.yml"


def _check_families(families: Sequence[str]) -> None:
    unknown = [name for name in families if name not in known_families()]
    if unknown:
        raise SettingsError(
            f"no family is called '{unknown[0]}' (known: {', '.join(known_families())})."
        )


def _propose(connection: Connection, warehouse: Open, wish: Wish, sources: Sources) -> Proposal:
    key = [wish.columns.get(part, part) for part in wish.key]

    def look(where: str) -> Look:
        return look_at(where, key, connection, warehouse)

    proposal = propose(wish, look(sources.sales))
    if sources.promotions:
        add_promotions(proposal, wish.name, look(sources.promotions))
    if sources.weather:
        add_weather(proposal, wish.name, look(sources.weather))
    if sources.countries:
        add_calendar(proposal, sources.countries)
    return proposal


def _in_order(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings in the order of their explanations in dbt_project.yml."""
    known = list(UseCase.model_fields)
    return dict(sorted(settings.items(), key=lambda one: known.index(one[0])))


def _checked(
    project: Path, environment: Mapping[str, str], path: Path, text: str, name: str
) -> UseCase:
    """The use case as the settings would have it.

    Raises:
        SettingsError: they would not be sound (all faults named).
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_text(text, "utf-8")
        own = bool(environment.get(INLINE))
        base, changed = (project, {INLINE: str(copy)}) if own else (Path(folder), {INLINE: ""})
        return load_settings(base, {**environment, **changed}).use_cases[name]
