# Two commands do everything: `make demo` and `make test`. Both make the environment first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo report test test-unit faults check-settings pin-provider lint lint-types lint-sql format docs lock clean deploy-tools deploy-pages deploy-check

setup: $(READY) profiles.yml

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

profiles.yml:
	cp profiles.example.yml profiles.yml

demo: setup
	$(BIN)/shelfcast demo

# How good the forecasts are, as one HTML file (`make demo` makes some).
report: setup
	env $$($(BIN)/shelfcast local start) $(BIN)/shelfcast report --out report.html

# pytest last, so that its closing line is the last one.
test: setup lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

# At every save: what needs no emulator, in a minute.
test-unit: setup
	$(BIN)/python -m pytest tests/unit tests/emulators -m unit -n auto --maxprocesses 4

# Hostile inputs by the thousand, each in a process of its own with bounded time and memory; fails
# where one ends in a traceback or never. `make faults SEED=2` tries others.
SEED ?= 1
faults: setup
	$(BIN)/python -m tests.faults.hostile --seed $(SEED)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory --jobs=2 lint-types lint-sql

lint-types:
	$(BIN)/mypy

lint-sql:
	$(BIN)/sqlfluff lint models tests/data

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix models tests/data

# Of what is built on the emulators (`make demo` builds it); `$(BIN)/dbt docs serve` shows it.
docs: setup
	env $$($(BIN)/shelfcast local start) sh -c \
		"$(BIN)/dbt --quiet run-operation create_log_tables && $(BIN)/dbt docs generate"

# The lock files name no registry; `pip install uv` where it is missing. `bench` stays out of the
# development lock, and its own is not universal: statsforecast has no answer for Windows.
COMPILE := uv pip compile pyproject.toml --python-version 3.11 --quiet \
	--custom-compile-command "make lock"

lock:
	$(COMPILE) --universal --output-file requirements.lock
	$(COMPILE) --universal --extra dask --extra local --extra report --extra dev --constraint requirements.lock \
		--output-file requirements-dev.lock
	$(COMPILE) --python-platform linux --extra bench --constraint requirements-dev.lock \
		--output-file requirements-bench.lock
	uv pip compile deploy/check/requirements.in --python-version 3.11 --quiet --python-platform linux \
		--custom-compile-command "make lock" --output-file $(DEPLOY_LOCK)

# Before a plan: `make check-settings VALUES=mine.tfvars` says whether the jobs would refuse its settings.
check-settings: setup
	$(BIN)/python -m deploy.check.settings $(VALUES)

# The provider's version and checksums, for whoever plans: commit the file. Needs Terraform's registry.
pin-provider:
	terraform -chdir=deploy/terraform providers lock \
		-platform=linux_amd64 -platform=linux_arm64 -platform=darwin_amd64 -platform=darwin_arm64 -platform=windows_amd64

# What `make deploy-check` checks with, in an environment of its own: Terraform's stand-in and checkov
# need older libraries than Shelfcast.
DEPLOY_LOCK := deploy/check/requirements.lock
DEPLOY_VENV := .venv-deploy
DEPLOY_READY := $(DEPLOY_VENV)/.ready

deploy-tools: $(DEPLOY_READY)

# deploy/principals.md and deploy/deployment.md, from Terraform's outputs.
deploy-pages: setup deploy-tools
	$(BIN)/python -m deploy.check.pages

# Everything under deploy/, with no cloud: `make deploy-check STEPS="fmt image cycle"` for some of it.
# What a step needs and is not here makes it SKIPPED, aloud; a step that fails makes this fail, and in CI
# (CI=true) one that is skipped too, unless SHELFCAST_DEPLOY_MAY_SKIP names it.
deploy-check: setup deploy-tools
	$(BIN)/python -m deploy.check $(STEPS)

$(DEPLOY_READY): $(DEPLOY_LOCK)
	$(PYTHON) -m venv $(DEPLOY_VENV)
	$(DEPLOY_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(DEPLOY_LOCK)
	touch $@

clean:
	rm -rf target logs .local .pytest_cache .mypy_cache .ruff_cache
