# Everything a person or CI types. The only needs are make and a python3 of 3.11 or newer; the rest is installed into .venv.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test check bench fast lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## five ECS tasks run here; four go wrong and each is seen, explained and told
	@$(BIN)/hinoban demo

test: $(READY) ## the whole suite (docker tests are skipped, with a reason, where no daemon answers)
	@$(PYTEST)

fast: $(READY) ## unit tests only, under 20 s
	@$(PYTEST) -m "not docker and not slow" -q tests/unit

check: $(READY) ## format, lint, types, import contracts, docs freshness
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/generate_docs.py --check

bench: $(READY) ## speed, as ratios against moto, bare Docker and bare SQLite (needs wrk)
	@$(BIN)/python -m benchmarks

lock: ## resolve pyproject.toml into requirements-dev.txt again (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --upgrade \
		pyproject.toml --group dev -o requirements-dev.txt

clean: ## remove the environment, caches and the demo's state
	rm -rf $(VENV) .demo dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.txt scripts/bootstrap
	@sh scripts/bootstrap $(VENV)
	@touch $@
