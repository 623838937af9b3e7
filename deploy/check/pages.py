"""The pages that are made of Terraform's outputs: `make deploy-pages` writes them, a test compares.

deploy/principals.md says who may do what; deploy/deployment.md what there is, how it is started
and where to look at it. Both are of the example, examples/distributor.tfvars.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from deploy.check import terraform, tools

EXAMPLE = "examples/distributor.tfvars"
PRINCIPALS = "deploy/principals.md"
DEPLOYMENT = "deploy/deployment.md"

Outputs = dict[str, Any]
"""Value of each output of deploy/terraform, by name."""

PRINCIPALS_HEAD = """# Who may do what

Of the example [distributor.tfvars](terraform/examples/distributor.tfvars), written by
`make deploy-pages` from Terraform's output `principals`, which the grants are made of; a test
compares. `terraform output principals` prints your own.

- Nobody has a basic role (owner, editor, viewer), and the jobs none on the project but to run
  queries at all: what a query may read or write is granted dataset by dataset.
- `shelfcast-runner` starts the scheduled jobs as they are. An *override* can replace what a
  container does, so it acts with the job's account: only operators may, and only where a stage
  asks for it.
- Only `shelfcast-load` writes the raw dataset; only it has the weather key.
- Monitoring reads models and writes nothing in their bucket but its lease.
- What reaches Cloud Logging needs no role: Cloud Run collects the jobs' output.
- Jobs append to the log tables and can neither drop nor alter them (a role of their own,
  `log_appender`). BigQuery has one permission for every change of rows, so a job could still
  delete some by DML: the keeper copies the logs each day to a dataset that no job may write.
- An upgrade that adds columns to a log table is therefore done by whoever owns the project, before
  the jobs get the new image ([runbook](runbook.md#upgrade)).
"""

DEPLOYMENT_HEAD = """# What there is

Of the example [distributor.tfvars](terraform/examples/distributor.tfvars), written by
`make deploy-pages` from Terraform's outputs and the models' descriptions; a test compares.
`terraform output` prints your own.
"""


def principals_page(outputs: Outputs) -> str:
    """One section a principal, one line for each thing that it may do."""
    grants = outputs["principals"]
    parts = [PRINCIPALS_HEAD]
    for who in dict.fromkeys(grant["who"] for grant in grants):
        own = [grant for grant in grants if grant["who"] == who]
        rows = [[grant["on"], f"`{grant['may']}`", grant["why"]] for grant in own]
        parts.append(f"## {_short(who)}\n\n{_table(['on', 'may', 'why'], rows)}")
    return "\n".join(parts)


def deployment_page(outputs: Outputs) -> str:
    """Buckets, tables, dashboards, jobs, commands, alerts and log queries."""
    buckets = [[name, f"`{uri}`"] for name, uri in outputs["buckets"].items()]
    jobs = [
        [f"`{name}`", f"`{job['runs']}`", job["as"].partition("@")[0], job["when"], job["size"]]
        for name, job in outputs["jobs"].items()
    ]
    commands = "\n".join(f"# {name}\n{text}" for name, text in outputs["commands"].items())
    parts = [
        DEPLOYMENT_HEAD,
        f"## Buckets\n\n{_table(['for', 'address'], buckets)}",
        f"## Jobs\n\n{_table(['job', 'runs', 'as', 'when', 'size'], jobs)}",
        f"## Started by hand\n\n```sh\n{commands}\n```\n",
        f"## Dashboards\n\n{_links(outputs['looker_links'], 'page')}",
        f"## Alerts\n\n{_links(outputs['alerts'], 'alert')}",
        f"## Log queries\n\n{_links(outputs['log_queries'], 'shows')}",
        *_tables_by_dataset(outputs["datasets"]),
    ]
    return "\n".join(parts)


def outputs_of(ready: terraform.Terraform) -> Outputs:
    """Apply the example with a mocked provider and return its outputs.

    Raises:
        terraform.Failed: its tests do not pass.
    """
    said = ready.run(
        "test", "-json", "-verbose", f"-var-file={EXAMPLE}", "-filter=tests/distributor.tftest.hcl"
    ).stdout
    for line in map(json.loads, said.splitlines()):
        if line["type"] == "test_state":
            outputs = line["test_state"]["outputs"]
            return {name: output["value"] for name, output in outputs.items()}
    raise terraform.Failed(said)


def write() -> None:
    """Write both pages."""
    module = tools.ROOT / "deploy" / "terraform"
    with tempfile.TemporaryDirectory() as folder, terraform.ready(module, Path(folder)) as ready:
        outputs = outputs_of(ready)
    (tools.ROOT / PRINCIPALS).write_text(principals_page(outputs))
    (tools.ROOT / DEPLOYMENT).write_text(deployment_page(outputs))


def _tables_by_dataset(datasets: dict[str, str]) -> list[str]:
    """A section a dataset: what it is for, and each of its tables by its description."""
    described = _described()
    sections = []
    for name, text in datasets.items():
        rows = [[f"`{table}`", what] for table, what in described.get(name.rpartition("_")[2], [])]
        section = f"## `{name}`\n\n{text}\n"
        sections.append(f"{section}\n{_table(['table', 'holds'], rows)}" if rows else section)
    return sections


def _described() -> dict[str, list[list[str]]]:
    """By dataset, the name of each table or view, its first sentence and its grain."""
    root = tools.ROOT / "models"
    texts = "\n".join(path.read_text() for path in sorted(root.rglob("*.md")))
    blocks = dict(re.findall(r"{% docs (\w+) %}(.*?){% enddocs %}", texts, re.DOTALL))
    contents = [yaml.safe_load(path.read_text()) for path in sorted(root.rglob("*.yml"))]
    models = {model["name"]: model for content in contents for model in content.get("models", [])}
    found: dict[str, list[list[str]]] = {}
    for path in sorted(root.rglob("*.sql")):
        model = models[path.stem]
        dataset = model.get("config", {}).get("schema") or path.relative_to(root).parts[0]
        found.setdefault(dataset, []).append([path.stem, _brief(model["description"], blocks)])
    for source in (source for content in contents for source in content.get("sources", [])):
        is_log = source["name"] == "logs"
        for table in source["tables"]:
            name = table["name"] if is_log else source["name"]
            row = [name, _brief(table.get("description", ""), blocks)]
            found.setdefault("logs" if is_log else "raw", []).append(row)
    return found


def _brief(description: str, blocks: dict[str, str]) -> str:
    """The first sentence and the grain, else the first two sentences, on one line."""
    named = re.fullmatch(r"{{ doc\('(\w+)'\) }}", description.strip())
    text = blocks[named[1]] if named else description
    first, *others = re.split(r"(?<=\.)\s+", " ".join(text.split()))
    grain = [sentence for sentence in others if sentence.startswith("One row per")]
    return " ".join([first, *(grain or others)[:1]]).replace("|", "\\|")


def _links(links: dict[str, str], what: str) -> str:
    return _table([what], [[f"[{name.replace('_', ' ')}](<{url}>)"] for name, url in links.items()])


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _short(who: str) -> str:
    kind, _, name = who.partition(":")
    return f"{name} ({kind})" if kind != "serviceAccount" else name.partition("@")[0]


if __name__ == "__main__":
    write()
