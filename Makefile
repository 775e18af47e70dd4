# One command runs it (make run), one tests it (make test). Needs Python 3.11 or newer; see README.md.
PYTHON ?= python3
VENV := .venv/bin
STAGE ?= dev
CONFIG_ENV := $(if $(filter dev,$(STAGE)),default,$(STAGE))
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= eu-central-1

.PHONY: run test check setup build deploy lint bench lock clean help

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s'|'

run: setup ## the whole template on this machine; replays the incidents; ONCE=1 ends after them
	@$(VENV)/python -m sandbox $(if $(ONCE),--once) $(if $(RUNTIME),--runtime $(RUNTIME))

test: setup ## every test
	@$(VENV)/python -m pytest $(if $(K),-k '$(K)') $(PYTEST)

check: setup ## what CI does: lint, types, boundaries, template, tests, replays
	@bash .ci/run

lint: setup ## style, types and boundaries
	@$(VENV)/ruff check . && $(VENV)/ruff format --check .
	@$(VENV)/mypy
	@PYTHONPATH=layers/bookend $(VENV)/lint-imports
	@$(VENV)/sam validate --lint

bench: setup ## round trips per turn, and the ratio of our time to Cal.com's
	@$(VENV)/python -m benchmarks

build: setup ## the artifacts as they are deployed; needs python3.13
	@$(VENV)/sam build --config-env $(CONFIG_ENV)

deploy: build ## STAGE=dev|staging|prod
	@$(VENV)/sam deploy --config-env $(CONFIG_ENV) \
	  --parameter-overrides file://params/$(STAGE).yaml ReleaseId=$$(date +%s)

setup: .venv/.ready .venv-engine/.ready ## the two virtual environments

.venv/.ready: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Bookend needs Python 3.11 or newer; '$(PYTHON)' is not. Try: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Setting up .venv (about a minute, once)"
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is missing (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(VENV)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

.venv-engine/.ready: requirements/engine.txt
	@echo "Setting up .venv-engine (the local DynamoDB, SQS and Secrets Manager)"
	@$(PYTHON) -m venv .venv-engine
	@.venv-engine/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/engine.txt
	@touch $@

lock: ## new exact versions from requirements/dev.in
	@rm -rf .venv && $(PYTHON) -m venv .venv && $(VENV)/python -m pip install --quiet -r requirements/dev.in
	@(echo "# Locked by 'make lock' from dev.in; the exact versions every machine installs."; \
	  $(VENV)/python -m pip freeze) > requirements/dev.txt && touch .venv/.ready

clean: ## everything that can be made again
	@rm -rf .venv .venv-engine .aws-sam .sandbox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
