# Two commands do all the set-up they need on a Debian machine: `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo clean-demo test test-all check format lock setup

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: ## Run the local cloud and `pulumi up` three customers on it
	@scripts/setup runtime
	@. ./activate && clawdet demo up

clean-demo: ## Remove all that `make demo` left running
	@if [ -x .venv/bin/clawdet ]; then . ./activate && clawdet demo down; fi

test: ## Run the checks and the default tier of the tests
	@scripts/setup dev
	@. ./activate && $(MAKE) --no-print-directory check && scripts/test

test-all: ## Run the checks and every test, with the real gateway wherever a gateway runs
	@scripts/setup dev
	@. ./activate && $(MAKE) --no-print-directory check && scripts/test --all

check: ## Format, lint, types and import contracts
	@scripts/python-environment dev
	@. ./activate && scripts/check

format: ## Put the code into the project's form
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

lock: ## Pin the newest versions that requirements/*.in allow, with hashes
	@scripts/lock

setup: ## Install and build what everything else needs
	@scripts/setup dev
