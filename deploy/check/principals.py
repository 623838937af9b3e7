"""The table of principals in the documentation, from what Terraform grants: `make principals`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from deploy.check import terraform, tools

TABLE = "deploy/principals.md"
EXAMPLE = "examples/distributor.tfvars"
HEAD = """# Who may do what

Of the example [distributor.tfvars](terraform/examples/distributor.tfvars), written by
`make principals` from Terraform's output `principals`, which the grants are made of; a test
compares. `terraform output principals` prints your own.

- Nobody has a basic role (owner, editor, viewer), and the jobs none on the project but to run
  queries at all: what a query may read or write is granted dataset by dataset.
- `shelfcast-runner` starts the scheduled jobs as they are. An *override* can replace what a
  container does, so it acts with the job's account: only operators may, and only where a stage
  asks for it.
- Only `shelfcast-load` writes the raw dataset; only it has the weather key.
- Monitoring reads models and writes nothing in their bucket but its lease.
- What reaches the logs needs no role: Cloud Run collects the jobs' output.
"""


def as_markdown(principals: list[dict[str, str]]) -> str:
    """One section a principal, one line for each thing that it may do."""
    parts = [HEAD]
    for who in dict.fromkeys(grant["who"] for grant in principals):
        parts.append(f"\n## {_short(who)}\n\n| on | may | why |\n|---|---|---|")
        for grant in principals:
            if grant["who"] == who:
                parts.append(f"| {grant['on']} | `{grant['may']}` | {grant['why']} |")
    return "\n".join(parts) + "\n"


def granted(ready: terraform.Terraform) -> list[dict[str, str]]:
    """Apply the example with a mocked provider and return its output `principals`.

    Raises:
        terraform.Failed: its tests do not pass.
    """
    said = ready.run(
        "test", "-json", "-verbose", f"-var-file={EXAMPLE}", "-filter=tests/distributor.tftest.hcl"
    ).stdout
    for line in map(json.loads, said.splitlines()):
        if line["type"] == "test_state":
            found: list[dict[str, str]] = line["test_state"]["outputs"]["principals"]["value"]
            return found
    raise terraform.Failed(said)


def _short(who: str) -> str:
    kind, _, name = who.partition(":")
    return f"{name} ({kind})" if kind != "serviceAccount" else name.partition("@")[0]


def write() -> None:
    """Write the table."""
    module = tools.ROOT / "deploy" / "terraform"
    with tempfile.TemporaryDirectory() as folder, terraform.ready(module, Path(folder)) as ready:
        (tools.ROOT / TABLE).write_text(as_markdown(granted(ready)))


if __name__ == "__main__":
    write()
