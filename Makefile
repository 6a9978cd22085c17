# `make` alone prints what there is to do.
PYTHON ?= python3
BIN    := .venv/bin
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
# Images set it, and then pytest and each child process compile every file anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-slow test-soak test-browser test-all lint types imports check format clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# The stamp is as old as the last install that worked; a changed pyproject.toml installs anew.
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $(PYTHON) is older than 3.11; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[postgres,sandbox,jwt]' --group dev
	@touch $@

install: .venv/installed ## Make .venv with all that is needed.

demo: .venv/installed ## Run the main job against the sandbox on SQLite: about half a minute.
	$(BIN)/worker demo

test: .venv/installed ## Run the tests, PostgreSQL and child processes included: five to six minutes.
	$(PYTEST) -m 'not slow and not soak and not browser'

test-fast: .venv/installed ## Run the tests without PostgreSQL and child processes: for the inner loop.
	$(BIN)/python -m pytest -m 'not slow and not soak and not browser and not process and not postgres'

test-slow: .venv/installed ## Run the tests that make test leaves out, and properties with all their examples.
	TEST_EXAMPLES=all $(PYTEST) --dist loadgroup -m '(slow or hypothesis) and not soak and not browser'

test-browser: .venv/installed ## Run the logins in a headless Chromium: apt-get install chromium chromium-driver.
	$(BIN)/python -m pytest -m 'browser'

test-soak: .venv/installed ## Put daemons through ten minutes of chaos, on SQLite and on PostgreSQL side by side.
	$(PYTEST) -m 'soak'

test-all: test test-slow test-soak test-browser ## Run every test.

lint: .venv/installed ## Check style (ruff, all rules) and format.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed ## Check types (mypy, strict).
	$(BIN)/mypy

imports: .venv/installed ## Check who imports whom (import-linter).
	$(BIN)/lint-imports

check: lint types imports test ## Everything a change must pass.

format: .venv/installed ## Rewrite the code in the house format.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the environment, caches and the demo's folder.
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
