# `make` lists the targets. Everything runs in the virtual environments .uv and .venv, made here.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
STAMP := .uv/.version-$(UV_VERSION)
RUN := $(UV) run --frozen --no-sync
PART ?=
YES ?=
DURATION ?= 120
RATE ?= 10
FAULTS ?=

export UV_NO_PROGRESS := 1

.PHONY: help up down logs clean doctor images engine demo dead-letters replay preview test test-unit compatibility lint collector dashboards rules redaction-report bench-redaction bench-admission bench-collector bench-service bench-python venv

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

up: venv ## Start the stack: engine, images, secrets, containers; then run the doctor
	@$(RUN) glasshouse up

down: venv ## Stop the stack; its data stays
	@$(RUN) glasshouse down

logs: venv ## Follow the logs, of one service with PART=loki
	@$(RUN) glasshouse logs $(PART)

clean: venv ## Delete the stack's data and secrets; asks first, not with YES=1
	@$(RUN) glasshouse clean $(if $(YES),--yes)

doctor: venv ## Check every component and follow a canary through the stack
	@$(RUN) glasshouse doctor

demo: venv ## Send mixed traffic for DURATION seconds at RATE a second; with faults: FAULTS=1
	@$(RUN) glasshouse-demo --duration $(DURATION) --rate $(RATE) $(if $(FAULTS),--faults)

images: venv ## Get each image: present, else pulled, else built from dev/images/
	@$(RUN) glasshouse images

engine: venv ## Make sure of the Docker engine and the compose plugin
	@$(RUN) glasshouse engine

dead-letters: venv ## List what no backend took and the Collector keeps
	@$(RUN) glasshouse dead-letters $(ARGS)

replay: venv ## Send dead letters again; some only with ARGS="--reason late"
	@$(RUN) glasshouse dead-letters --replay $(ARGS)

preview: venv ## Draw every dashboard from live data into preview.html
	@$(RUN) glasshouse preview $(ARGS)

test: engine ## Run all tests; needs nothing running
	@$(RUN) glasshouse images
	@mkdir -p reports
	@code=0; $(RUN) pytest --junitxml=reports/junit.xml $(ARGS) || code=$$?; \
	$(RUN) glasshouse summary reports/junit.xml || true; exit $$code

compatibility: engine ## Send every oddity that OTLP can carry; write docs/compatibility.md
	@GLASSHOUSE_WRITE_COMPATIBILITY=1 $(RUN) pytest tests/integration/compatibility/test_every_row.py $(ARGS)

test-unit: venv ## Run the tests that need no containers
	@$(RUN) pytest -m unit $(ARGS)

lint: venv ## Check style and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) pyright

collector: ## Generate the Collectors' Go modules from their builder.yaml
	@cd collector/ocb && go build -mod=readonly -trimpath -o ../.builder go.opentelemetry.io/collector/cmd/builder
	@trap 'rm -f collector/.builder' EXIT; for folder in collector dev/bench/collector; do \
	  (cd $$folder && $(CURDIR)/collector/.builder --config builder.yaml --skip-compilation); done

dashboards: venv ## Write grafana/dashboards/*.json from grafana/src
	@$(RUN) python -W ignore -m glasshouse_dashboards

rules: venv ## Write prometheus/rules/slos.yaml from slos.yaml
	@$(RUN) glasshouse rules

bench-service: venv ## Measure the API's requests a second, telemetry off and on
	@PYTHONPATH=tests $(RUN) python dev/bench/service.py

redaction-report: engine ## Send the corpus through the Collector; table and docs/redaction.svg
	@$(RUN) glasshouse-bench redaction-report --picture docs/redaction.svg $(ARGS)

bench-redaction: venv bench-collector ## Measure redaction on one core, beside none and the stock one
	@$(RUN) glasshouse-bench redaction-speed dev/bench/collector/.otelcol $(ARGS)

bench-admission: venv bench-collector ## Measure the components that isolate records, beside none
	@$(RUN) glasshouse-bench admission-speed dev/bench/collector/.otelcol $(ARGS)

bench-collector:
	@cd dev/bench/collector/distribution && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags="-s -w" -o ../.otelcol .

bench-python: venv ## Measure redaction in Python beside encoding JSON
	@$(RUN) python dev/bench/redaction_python.py $(ARGS)

venv: $(STAMP)
	@$(UV) sync --frozen --quiet

# uv itself comes from PyPI, so Python is the only thing that must be there.
$(STAMP):
	@command -v $(PYTHON) >/dev/null || { echo "error: Python 3.11 or newer is missing: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old: install Python 3.11 or newer, then make PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing uv $(UV_VERSION) into .uv"
	@rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
