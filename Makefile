# Every recipe sets up what it needs, from a fresh clone with Python 3.11 or newer and nothing else.
# A second run does not repeat it: stamps in .venv remember what was installed from which files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
UI := $(shell find ui -path ui/node_modules -prune -o -type f -print 2>/dev/null)
BENCHES ?= capture ingest query

.DEFAULT_GOAL := help
.PHONY: help demo serve test check bench docs fmt clean setup

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.server ## A server, a sample API and its partners, counted live; SECONDS=20 ends by itself
	@$(BIN)/python -m tollkeeper.demo $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

serve: $(VENV)/.server ## A server on ./tollkeeper-data; ARGS="--port 9000" for more
	@$(BIN)/tollkeeper serve $(ARGS)

test: setup check ## Everything that must hold: check, then all tests; ARGS="-k name" for some
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Measure; prints JSON (BENCHES="capture" for one)
	@for bench in $(BENCHES); do $(BIN)/python -m bench.$$bench || exit 1; done

docs: $(VENV)/.dev ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

fmt: $(VENV)/.dev ## Format the code, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what was made; data folders stay
	rm -rf $(VENV) build dist site ui/node_modules src/tollkeeper/web/_ui
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

setup: $(VENV)/.dev
	@tests/setup

$(VENV)/.made:
	@tests/setup python $(PYTHON)
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.server: $(VENV)/.made pyproject.toml constraints.txt hatch_build.py $(UI)
	@test -e $(VENV)/.dev || echo "Installing Tollkeeper, and building its dashboard ..."
	@$(PIP) install -c constraints.txt -e '.[server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt hatch_build.py $(UI)
	@echo "Installing Tollkeeper with what its tests need ..."
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.server
