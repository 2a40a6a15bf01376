# What is done to this project, under one obvious name each. `make help` lists them.
# Needs GNU make and a python3 >= 3.11 with venv; everything else comes from the lock.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

UV_VERSION := 0.13.8
UV := .tools/uv-$(UV_VERSION)/bin/uv
BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= 2

# Text is UTF-8 whatever the locale says.
export PYTHONUTF8 := 1
# The system's certificates are trusted, as pip and curl trust them: a proxy's own among them.
export UV_SYSTEM_CERTS ?= true
# The environment is always ./.venv with the Python chosen below: nothing active elsewhere, nothing downloaded.
unexport VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The first of these that is new enough and can make an environment; `make setup PYTHON=/path/to/python3` decides it.
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 /usr/bin/python3)
define find_python
python=; \
for candidate in $(PYTHONS); do \
  if found=$$("$$candidate" -c 'import sys, venv, ensurepip; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null); \
  then python=$$found; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo 'error: no Python 3.11 or newer with the venv module among: $(PYTHONS)' >&2; \
  echo >&2; \
  echo 'hint: install one (Debian and Ubuntu: apt-get install python3 python3-venv), or name one: make setup PYTHON=/path/to/python3' >&2; \
  exit 1; \
fi
endef

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: setup
setup: $(READY) ## Make .venv with everything in the lock

$(UV):
	@$(find_python); \
	echo "installing uv $(UV_VERSION) with $$python"; \
	rm -rf .tools; \
	"$$python" -m venv .tools/uv-$(UV_VERSION); \
	.tools/uv-$(UV_VERSION)/bin/python -m pip install --quiet "uv==$(UV_VERSION)"

$(READY): pyproject.toml uv.lock | $(UV)
	@$(find_python); \
	$(UV) sync --quiet --locked --all-extras --all-groups --python "$$python"; \
	$(BIN)/python -c 'import sys; print("ready: .venv with Python", sys.version.split()[0])'; \
	touch $@

.PHONY: demo
demo: $(READY) ## Make pictures without a key, with the simulator
	$(BIN)/python scripts/demo.py

.PHONY: test
test: lint types contracts ## Everything a change must pass: lint, types, contracts, tests
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m 'not slow and not strangers'

.PHONY: worlds
worlds: $(READY) ## The seeded simulations, the slow ones too
	$(BIN)/pytest -n $(WORKERS) -m worlds --timeout 900

.PHONY: strangers
strangers: $(READY) ## Other people's programs, pointed at the gateway; fetches them
	$(BIN)/python scripts/strangers.py $(UV)
	$(BIN)/pytest -n $(WORKERS) -m strangers --timeout 600 tests/strangers/gateway

.PHONY: bench
bench: $(READY) ## Measure against others, ratios in one run
	$(BIN)/python -m bench

.PHONY: lint
lint: $(READY) ## Style: ruff, and whether the formatter would change anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(READY) ## Types: pyright, strict in src
	$(BIN)/pyright

.PHONY: contracts
contracts: $(READY) ## Layers: who may import whom
	$(BIN)/lint-imports --no-logo

.PHONY: docs
docs: $(READY) ## Write docs/reference and the README's prices anew from the code and the catalog
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/prices.py

.PHONY: fmt
fmt: $(READY) ## Format, and repair what can be repaired by itself
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

.PHONY: clean
clean: ## Remove what was made here, the environment too
	rm -rf .venv .tools .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
