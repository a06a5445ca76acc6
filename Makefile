# Needs Python 3.11 or newer, nothing else: the first target that wants it makes .venv, with uv where it is installed.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
PYTEST_OPTIONS ?= -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench soak docs clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: $(INSTALLED) ## A small CodeBuild project leaves Docker Hub: scan, diff, migrate, check, undo (no internet)
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo

test: $(INSTALLED) ## Run every test
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PYTEST_OPTIONS)

check: $(INSTALLED) ## Formatting, lint, types, who imports whom, the documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/mkdocs build --strict --quiet
	$(BIN)/python -m scripts.story --check
	$(BIN)/python -m scripts.commands --check
	$(BIN)/python -m scripts.symptoms --check
	$(BIN)/python -m scripts.formats --check
	$(BIN)/pytest tests/docs

format: $(INSTALLED) ## Format the code and mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## Measure scan speed and memory on large trees, and the verification of 500 references
	$(BIN)/python -m bench.run
	$(BIN)/python -m bench.verify

soak: $(INSTALLED) ## The long tests: many more random examples and kills; writes docs/soak.json
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m scripts.soak
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m scripts.mirror_faults --check

docs: $(INSTALLED) ## Build the documentation into site/
	$(BIN)/python -m scripts.story
	$(BIN)/python -m scripts.commands
	$(BIN)/python -m scripts.symptoms
	$(BIN)/python -m scripts.formats
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m scripts.replay
	$(BIN)/mkdocs build --strict
	@echo "open site/index.html, or: $(BIN)/mkdocs serve"

clean: ## Remove what was made, the environment included
	rm -rf .venv site .pytest_cache .ruff_cache .hypothesis .tools

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "unhub needs Python 3.11 or newer on PATH" >&2; exit 1; }
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python "$(PYTHON)" .venv && uv pip install --quiet --python $(BIN)/python -e . --group dev; \
	else \
		"$(PYTHON)" -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1" && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e . --group dev; \
	fi
	@touch $@
