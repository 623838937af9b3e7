"""The launcher fits exactly one version of the emulator; these tests name what stopped fitting."""

import importlib
import pkgutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import bqemulator
import pytest

from emulators.bigquery import patches

ROOT = Path(__file__).parents[2]


def test_installed_and_declared_version_are_the_pinned_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]["local"]
    assert version("bqemulator") == patches.PINNED_VERSION
    assert f"bqemulator=={patches.PINNED_VERSION}" in declared


@pytest.mark.parametrize(
    "name", [(p.owner, p.name) for p in patches.PATCHES] + list(patches.USED), ids=".".join
)
def test_emulator_has_the_name(name):
    patches.check((name,))


def test_a_missing_name_is_told_with_the_version_that_has_it():
    with pytest.raises(RuntimeError, match=r"1\.4\.0 .*has no bqemulator\.cli\.gone.*PATCHES"):
        patches.check((("bqemulator.cli", "main"), ("bqemulator.cli", "gone")))


def test_a_missing_module_is_told_like_a_missing_name():
    with pytest.raises(RuntimeError, match=r"has no bqemulator\.nowhere\.name"):
        patches.check((("bqemulator.nowhere", "name"),))


def test_each_name_is_listed_once():
    names = [(patch.owner, patch.name) for patch in patches.PATCHES]
    assert len(names) == len(set(names))


def test_every_module_that_imports_a_replaced_name_is_listed():
    """A `from x import f` keeps the original f, so that module's own name needs a patch too."""
    listed = {(patch.owner, patch.name) for patch in patches.PATCHES}
    for module in pkgutil.walk_packages(bqemulator.__path__, "bqemulator."):
        if ".testing" not in module.name:
            importlib.import_module(module.name)
    holders = set()
    for patch in patches.PATCHES:
        if ":" in patch.owner:
            continue
        original = getattr(sys.modules[patch.owner], patch.name)
        if isinstance(original, type | ModuleType):
            listed.discard((patch.owner, patch.name))  # meant for one module: it is used there
            continue
        home = getattr(original, "__module__", patch.owner)
        holders |= {
            (name, patch.name)
            for name, module in list(sys.modules.items())
            if (name == patch.owner or name.startswith("bqemulator."))
            and vars(module).get(patch.name) is original
            # Where it is defined, a name that only others import needs no patch.
            if (name, patch.name) in listed or name != home
        }
    assert holders == {name for name in listed if ":" not in name[0]}


def test_apply_replaces_every_name():
    """In a process of its own: it changes modules for good."""
    code = """
from emulators.bigquery import patches
found = lambda patch: vars(patches._resolve(patch.owner))[patch.name]
before = [found(patch) for patch in patches.PATCHES]
patches.apply()
print([p.name for p, b in zip(patches.PATCHES, before, strict=True) if found(p) is b])
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.splitlines()[-1:] == ["[]"], ran.stderr
