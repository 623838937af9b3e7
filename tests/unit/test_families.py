"""The registry of families."""

import subprocess
import sys

import pytest

import python_jobs.families as registry
from python_jobs.families import make_family, register
from python_jobs.families.base import FamilySettings

SETTINGS = FamilySettings("week", 4, 52)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """Let a test register what it likes, beside the built-in families and nothing else."""
    built_in = {
        n: made for n, made in registry._REGISTRY.items() if isinstance(made, registry._Lazy)
    }
    monkeypatch.setattr(registry, "_REGISTRY", built_in)


def test_families_are_made_by_name():
    assert make_family("prophet", SETTINGS).options.y_lag1
    assert not make_family("prophet_no_lag", SETTINGS).options.y_lag1
    assert {make_family(name, SETTINGS).name for name in ("prophet", "prophet_no_lag")} == {
        "prophet",
        "prophet_no_lag",
    }


def test_an_unknown_family_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown family 'profet'; known: prophet, prophet_no_lag"):
        make_family("profet", SETTINGS)


def test_a_plug_in_is_made_from_the_settings():
    register("echo", lambda settings: settings)
    assert make_family("echo", SETTINGS) is SETTINGS


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="family 'prophet' is already registered"):
        register("prophet", lambda settings: settings)


def test_a_package_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    lazy = registry._Lazy("a_package_that_is_nowhere.family", "Family", "boosting")
    register("lightgbm", lazy)
    with pytest.raises(
        ImportError,
        match=r"'lightgbm' needs the package 'a_package_that_is_nowhere'.*'shelfcast\[boosting\]'",
    ):
        make_family("lightgbm", SETTINGS)


def test_a_mistake_inside_the_package_is_not_called_a_missing_package():
    register("broken", registry._Lazy("python_jobs.families.no_such_module", "Family"))
    with pytest.raises(ModuleNotFoundError, match="No module named 'python_jobs"):
        make_family("broken", SETTINGS)


def test_making_a_family_does_not_import_its_heavy_package():
    script = """
import sys
from python_jobs.families import make_family
assert "pandas" in sys.modules and "python_jobs.families.prophet.family" not in sys.modules
from python_jobs.families.base import FamilySettings
make_family("prophet", FamilySettings("week", 4, 52))
assert "prophet" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
