# Everything a person or a machine does with this repository. `make help` lists it.
# Needs: make and Python 3.11 or newer. Nothing here needs root, except what `make test` wants of Debian where it is absent.

PORT ?= 8080
PYTHON ?= python3
PYTEST ?=
CAMPAIGN ?=
LONG ?=
BIN := .venv/bin
BOOTSTRAP := $(PYTHON) scripts/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run turn dev ready verification test check types format chaos bench bare screenshots lock clean distclean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16
	@printf '\nPORT=%s   the port of `make run`\nPYTEST=…     more arguments for `make test`, e.g. PYTEST="tests/unit -k sdp"\n' '$(PORT)'

run: ready ## Install what is missing, build, serve on http://127.0.0.1:$(PORT) and print the links
	@PORT=$(PORT) exec $(BIN)/tongping serve --demo --port $(PORT)

turn: ## Install coturn where it is absent, run it for the server of this folder, print its URLs (docs/turn.md)
	@$(BOOTSTRAP) coturn venv runtime
	@exec $(BIN)/tongping turn serve

ready: ## What `make run` does before it serves
	@$(BOOTSTRAP)

verification: ## The packages and models of face and document checks, where TONGPING_VERIFICATION=0 left them out
	@TONGPING_VERIFICATION=1 $(BOOTSTRAP) venv runtime verification models

dev: ready ## Serve with the stories route, and rebuild the pages whenever a source changes
	@sh scripts/dev.sh $(PORT)

test: ## Install what tests need, build, run every test and the coverage gate; LONG=1: also what only the long form runs
	@$(BOOTSTRAP) debian venv runtime verification models dev static
	@$(if $(LONG),TESTS_LONG_FORM=1) sh scripts/test.sh $(PYTEST)

check: ## Formatting, lint, types of both languages, drift of generated files
	@$(BOOTSTRAP) venv runtime dev static
	@sh scripts/check.sh

format: ## Let ruff put the Python sources in order
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

types: ## Write static/src/protocol.gen.ts anew from the server's messages
	@$(BIN)/python -m server.signalling.typescript

chaos: ## One trust campaign, CAMPAIGN=1 … 23 (those in docs/testing.md), short; LONG=1 is its long form
	@$(BOOTSTRAP) debian venv runtime verification models dev static
	@$(if $(LONG),TESTS_CAMPAIGN=long TESTS_KILLS=1000 HYPOTHESIS_PROFILE=campaign) \
		$(BIN)/pytest $(if $(CAMPAIGN),--campaign $(CAMPAIGN),-m campaign) $(PYTEST)

bench: ## Join time, cost of relay and recording, as JSON; the relay's needs Debian's janus
	@$(BOOTSTRAP) debian venv runtime dev static
	@sh scripts/bench.sh

screenshots: ## Every real page at 1280 and 390 pixels, Chinese and English, into docs/screenshots
	@$(BOOTSTRAP) debian venv runtime dev static
	@$(BIN)/python -m tests.support.screenshots docs/screenshots
	@$(BIN)/python -m tests.support.bank_pictures docs/screenshots

bare: ## Prove `make run` in a bare Debian as an ordinary user, then offline (root; debootstrap)
	@sh tests/bare/bare.sh

lock: ## Resolve the Python packages anew into requirements/ (network)
	@sh scripts/lock.sh

clean: ## Remove what was built, keep .venv, node_modules and the data in var/
	@rm -rf media/native/*.so static/dist build test-output .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* .venv/.stamps/dist
	@find . -name __pycache__ -type d -not -path './.venv/*' -not -path './static/node_modules/*' -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv and node_modules too
	@rm -rf .venv static/node_modules *.egg-info
