"""Whether the jobs would accept the settings of a file of values, before anything is planned.

    python -m deploy.check.settings deploy/terraform/mine.tfvars

Terraform lays `settings` over dbt_project.yml and does not know what a setting means: a wrong one
passes the plan, and every job then refuses to start. This asks Terraform for the value and reads it
with the code of the jobs. No state and no cloud are needed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from deploy.check import terraform, tools
from python_jobs.checks.settings_check import examine
from python_jobs.infra.errors import SettingsError

MODULE = tools.ROOT / "deploy" / "terraform"
EXAMPLES = tuple(sorted((MODULE / "examples").glob("*.tfvars")))


def settings_of(ready: terraform.Terraform, values: Path) -> str:
    """Return SHELFCAST_SETTINGS of the jobs that a file of values would make.

    Raises:
        terraform.Failed: Terraform refuses the file.
    """
    return json.dumps(ready.value("local.settings", f"-var-file={values.resolve()}"))


def check(*files: Path) -> str:
    """Check the settings of files of values; of the examples where none is named.

    Raises:
        terraform.Failed: Terraform refuses a file, or the jobs would refuse its settings.
    """
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="shelfcast-settings-") as folder,
        terraform.ready(MODULE, Path(folder) / "terraform") as ready,
    ):
        for values in files or EXAMPLES:
            given = settings_of(ready, values)
            try:
                found.append(f"{values.name}: {examine({'SHELFCAST_SETTINGS': given})}")
            except SettingsError as error:
                raise terraform.Failed(f"{values}: the jobs would refuse it. {error}") from error
    return "; ".join(found)


def main(*files: str) -> int:
    """Check files; return 1 where one is refused or Terraform cannot be asked."""
    try:
        tools.say(check(*map(Path, files)))
    except (terraform.Failed, tools.Missing) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
