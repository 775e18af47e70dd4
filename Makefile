# One command runs it (make run), one tests it (make test). Needs Python 3.11 or newer; see README.md.
PYTHON ?= python3
VENV := .venv/bin
STAGE ?= dev
CONFIG_ENV := $(if $(filter dev,$(STAGE)),default,$(STAGE))
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= eu-central-1

.PHONY: run test battery simulate mutants evidence coverage check static config-check setup build deploy lint bench grammars lock clean help

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## the whole template on this machine; replays the incidents; ONCE=1 ends after them
	@$(VENV)/python -m sandbox $(if $(filter-out 0 no false,$(ONCE)),--once) $(if $(RUNTIME),--runtime $(RUNTIME))

test: setup ## every test but the battery; K=words picks some
	@$(VENV)/python -m pytest -n auto -m 'not slow' $(if $(K),-k '$(K)') $(PYTEST)

battery: setup ## the tests that take minutes: every order, every loss, every death
	@$(VENV)/python -m pytest -m slow -n auto $(PYTEST)

simulate: .venv/.ready ## SEED=7 CALLS=100 PLAN=realistic|brutal|strangers|duel RUNS=1: a seeded run, and the story of one that breaks
	@$(VENV)/python -m tests.simulation --seed $(or $(SEED),1) --calls $(or $(CALLS),100) \
	  --plan $(or $(PLAN),realistic) --runs $(or $(RUNS),1) --shrink

evidence: setup ## all that tries to break it, counted into docs/evidence.md: hours; QUICK=1: minutes
	@status=0; $(VENV)/python -m tests.evidence run --profile $(if $(filter-out 0 no,$(QUICK)),ci,long) || status=$$?; \
	  $(VENV)/python -m tests.evidence page && exit $$status

mutants: .venv/.ready ## FILE=domain/answers.py MOST=60: small changes of the safety code, and which no test notices
	@nice $(VENV)/python -m tests.planted.mutate $(FILE) $(if $(MOST),--most $(MOST)) $(if $(FILE)$(MOST),,--json evidence/mutants.json)

check: setup ## what CI does: lint, types, boundaries, template, static checks, replays, bench, tests
	@bash .ci/run

lint: setup ## style, types and boundaries
	@$(VENV)/ruff check . && $(VENV)/ruff format --check .
	@$(VENV)/mypy
	@PYTHONPATH=layers/bookend $(VENV)/lint-imports
	@$(VENV)/sam validate --lint

static: setup .venv-checks/.ready ## what can be said of code, template and files without running them
	@bash .ci/static

# Its own run, since counting branches makes the simulations several times slower; those are left out of it. They reach 94 %
# of lines and branches; the floor is a little below, so that a new room without tests falls through it.
coverage: .venv/.ready ## the branches of domain and application that tests reach; fails below 92 %
	@$(VENV)/python -m pytest -q -n auto -m 'not slow' tests/domain tests/application tests/functions \
	  --ignore=tests/application/convergence --ignore=tests/functions/test_deadlines.py \
	  --deselect tests/application/test_crashes.py \
	  --cov --cov-report=term-missing:skip-covered --cov-fail-under=92

config-check: .venv/.ready ## FILE=salon.json: what is wrong with a salon's document; needs no AWS account
	@test -f '$(FILE)' || { echo "Which document? make config-check FILE=path/to/salon.json" >&2; exit 2; }
	@PYTHONPATH=layers/bookend $(VENV)/python -m bookend config check '$(FILE)'

grammars: ## whether the code reads on Python 3.11, 3.12 and 3.13, as far as they are here
	@bash .ci/grammars

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
	@echo "Setting up .venv (about two minutes, once)"
	@$(PYTHON) requirements/install.py .venv requirements/dev.txt
	@touch $@

.venv-engine/.ready: requirements/engine.txt
	@echo "Setting up .venv-engine: the local DynamoDB, SQS and Secrets Manager (half a minute, once)"
	@$(PYTHON) requirements/install.py .venv-engine requirements/engine.txt
	@touch $@

.venv-checks/.ready: requirements/checks.txt
	@echo "Setting up .venv-checks: checkov (half a minute, once)"
	@$(PYTHON) requirements/install.py .venv-checks requirements/checks.txt
	@touch $@

lock: ## new exact versions from requirements/dev.in
	@rm -rf .venv && $(PYTHON) -m venv .venv && $(VENV)/python -m pip install --quiet -r requirements/dev.in
	@(echo "# Locked by 'make lock' from dev.in; the exact versions every machine installs."; \
	  $(VENV)/python -m pip freeze) > requirements/dev.txt && touch .venv/.ready

clean: ## everything that can be made again
	@rm -rf .venv .venv-engine .venv-checks .aws-sam .sandbox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
