# The commands of this project; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup

.DEFAULT_GOAL := help
.PHONY: help setup run test nightly check format bench evaluate services clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything in it (Python 3.11 or later; nothing else needed)

# Installed again only when pyproject.toml changes. The stamp is written last, so an interrupted
# set-up starts over.
$(STAMP): pyproject.toml scripts/find_python
	@python="$$(scripts/find_python)" && \
	  { test -x $(BIN)/python || "$$python" -m venv $(VENV); }
	@echo "setup: installing into $(VENV) (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: setup ## Start the monitor on a simulated live bank: http://127.0.0.1:8600
	@$(BIN)/riskmon run --simulate

test: setup ## Run the tests; what is skipped, and why, is listed at the end
	$(BIN)/python -m pytest -rs -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

nightly: setup ## The long form of the cluster's tests: a hundred random kills, a longer stream (an hour)
	RISKMON_NIGHTLY=1 $(BIN)/python -m pytest -rs tests/cluster

check: setup ## Format, lint, types, import contracts, rules and their tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/riskmon rules check --strict
	$(BIN)/riskmon rules test

format: setup ## Format the code and sort its imports
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

bench: setup ## Measure; figures as a table, and as JSON in var/bench.json
	@mkdir -p var
	$(BIN)/riskmon bench --out var/bench.json

evaluate: setup ## Detection figures on public data (folder: RISKMON_DATASETS) as a table and plots; an hour
	$(BIN)/python -m monitor.evaluate

services: ## Install the servers some tests need (Debian, as root): Redis, Prometheus, PostgreSQL, Kafka, Chromium
	scripts/install_services

clean: ## Remove .venv, caches and builds; data in var/ stays
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find monitor rules streams alerts tests -type d -name __pycache__ -prune -exec rm -rf {} +
