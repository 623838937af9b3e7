"""What the command line makes of its arguments before any command sees them."""

from __future__ import annotations

import pytest

from python_jobs.cli.app import target_first


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["train", "--target", "prod"], ["--target", "prod", "train"]),
        (
            ["train", "--target=prod", "--series", "N1|*"],
            ["--target=prod", "train", "--series", "N1|*"],
        ),
        (["--target", "prod", "weekly"], ["--target", "prod", "weekly"]),
        (["models", "list", "--target", "prod"], ["--target", "prod", "models", "list"]),
        (["weekly"], ["weekly"]),
        (["sql", "--", "--target"], ["sql", "--", "--target"]),
        (["sql", "select '--target'"], ["sql", "select '--target'"]),
        (["train", "--target"], ["train", "--target"]),
    ],
)
def test_the_target_may_stand_behind_the_command(given: list[str], taken: list[str]) -> None:
    assert target_first(given) == taken
