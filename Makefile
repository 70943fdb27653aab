# `make` lists the targets. Everything runs in the virtual environments .uv and .venv, made here;
# what strangers bring runs in .venv-frameworks.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' dev/requirements-uv.txt)
UV := .uv/bin/uv
STAMP := .uv/.version-$(UV_VERSION)
RUN := $(UV) run --frozen --no-sync
PART ?=
YES ?=
DURATION ?= 120
RATE ?= 10
FAULTS ?=

# Ours, without what is generated.
GO_MODULES := $(filter-out collector/ocb collector/distribution dev/audit,$(patsubst %/go.mod,%,$(wildcard collector/*/go.mod dev/*/go.mod)))
SHELL_FILES := .ci/run $(shell git ls-files '*.sh')
RELEASE ?= oldest
VERSION ?=

export UV_NO_PROGRESS := 1
# The Python that made .uv, whatever .python-version says.
export UV_PYTHON := $(CURDIR)/.uv/bin/python

.PHONY: help up down logs clean doctor up-distributed down-distributed logs-distributed doctor-distributed test-distributed images engine demo dead-letters replay preview test test-unit test-fast chaos test-race test-upstream compatibility frameworks venv-frameworks check lint lint-go fmt coverage version sbom notices audit security collector dashboards rules telemetry redaction-report bench-redaction bench-admission bench-pipeline bench-collector bench bench-dashboards performance bench-python venv test-switches test-python policy bench-pipeline-report bench-freshness bench-stack bench-scale sizing native chart

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

up-distributed: venv ## Start the stack past one machine, all on this one: edges, Kafka, gateways, distributed backends
	@$(RUN) glasshouse up-distributed

down-distributed: venv ## Stop that; its data stays
	@$(RUN) glasshouse down-distributed

logs-distributed: venv ## Follow its logs, of one service with PART=gateway-1
	@$(RUN) glasshouse logs-distributed $(PART)

doctor-distributed: venv ## Check all its parts, and follow a canary from each edge to each backend
	@$(RUN) glasshouse doctor-distributed

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

preview: venv ## Render every dashboard from live data into preview.html
	@$(RUN) glasshouse preview $(ARGS)

test: engine venv-frameworks ## Run all tests, in three processes; needs nothing running
	@$(RUN) glasshouse images
	@mkdir -p reports
	@code=0; $(RUN) pytest -n 3 --dist loadgroup --junitxml=reports/junit.xml $(ARGS) || code=$$?; \
	$(RUN) glasshouse summary reports/junit.xml || true; exit $$code

test-distributed: engine ## Kill each part past one machine under load, count by id; write its rows of docs/guarantees.md
	@GLASSHOUSE_DISTRIBUTED=long $(RUN) pytest -n 3 --dist loadgroup tests/distributed $(ARGS)

compatibility: engine ## Send every oddity that OTLP can carry; write docs/compatibility.md
	@GLASSHOUSE_WRITE_COMPATIBILITY=1 $(RUN) pytest tests/integration/compatibility/test_every_row.py $(ARGS)

frameworks: venv venv-frameworks ## Drive strangers' frameworks and servers; write docs/compatibility.md's second half
	@GLASSHOUSE_WRITE_COMPATIBILITY=1 $(RUN) pytest tests/integration/frameworks $(ARGS)

test-unit: venv ## Run the tests that need no stack
	@$(RUN) pytest -m unit $(ARGS)

chaos: engine ## Stop, pause, slow, kill, fill and damage each part under load; write docs/guarantees.md
	@PYTHONPATH=tests $(RUN) python -m support.chaos $(ARGS)

test-race: ## Run the Go tests under the race detector
	@for module in $(GO_MODULES); do (cd $$module && go test -race -mod=readonly -timeout 30m ./...); done

test-switches: venv ## Run the distro's tests with each way it can go; two minutes with ARGS=--short
	@PYTHONPATH=tests $(RUN) python -m support.switching $(ARGS)

test-python: $(STAMP) ## Run the distro's tests under another Python: VERSION=3.12 or a path; PYTHONS of uv are found
	@test -n "$(VERSION)" || { echo "error: which Python? make test-python VERSION=3.13" >&2; exit 1; }
	@UV_PYTHON=$(VERSION) UV_PROJECT_ENVIRONMENT=.venv-python $(UV) sync --frozen --quiet
	@.venv-python/bin/python --version
	@.venv-python/bin/python -m pytest tests/unit/instrumentation tests/unit/redaction tests/unit/test_shipping.py $(ARGS)

test-upstream: venv ## Test the distro with the oldest OpenTelemetry that it allows, or RELEASE=newest
	@UV_PROJECT_ENVIRONMENT=.venv-upstream $(UV) sync --frozen --quiet
	@sed -n '/^dependencies/,/^]/p; /^httpx/p; /^prometheus/p' instrumentation/pyproject.toml \
	  | grep -oE '"opentelemetry-[^"]+"' | tr -d '"' > .venv-upstream/group.txt
	@# Upstream's instrumentations that come out later than the SDK would hold it back.
	@$(UV) pip uninstall --quiet --python .venv-upstream opentelemetry-instrumentation-psycopg \
	  opentelemetry-instrumentation-dbapi opentelemetry-instrumentation-threading
	@$(UV) pip install --quiet --python .venv-upstream --upgrade -r .venv-upstream/group.txt \
	  --resolution $(if $(filter newest,$(RELEASE)),highest,lowest-direct) --prerelease allow
	@$(UV) pip list --python .venv-upstream 2>/dev/null | grep -E '^opentelemetry-(sdk|instrumentation) '
	@.venv-upstream/bin/python -m pytest tests/unit/instrumentation tests/unit/test_shipping.py tests/unit/redaction/test_surfaces.py $(ARGS)

check: venv ## Everything that needs no stack, but the slow unit tests
	@$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=line lint lint-go test-fast

test-fast: venv
	@$(RUN) pytest -m "unit and not slow" -n 2 --dist worksteal $(ARGS)

lint: venv ## Check style and types: Python, YAML, shell, workflows
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) pyright
	@# Templates of the chart are no YAML yet.
	@git ls-files '*.yaml' '*.yml' ':!deploy/chart/templates' | xargs $(RUN) yamllint --strict
	@$(RUN) shellcheck $(SHELL_FILES)
	@$(RUN) check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(RUN) check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[bf]*.yml
	@$(RUN) check-jsonschema --builtin-schema vendor.renovate renovate.json
	@$(RUN) check-jsonschema --builtin-schema vendor.compose-spec docker-compose.mtls.yml
	@# The schema lets no variable stand for a policy, compose does.
	@for file in docker-compose.yml deploy/compose.distributed.yaml; do \
	  sed 's/$${OWN_IMAGES:-build}/build/' $$file \
	  | $(RUN) check-jsonschema --builtin-schema vendor.compose-spec --default-filetype yaml -; done

lint-go: ## Check the format of Go code, and vet it
	@for module in $(GO_MODULES); do (cd $$module; \
	  unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "$$module: run make fmt: $$unformatted" >&2; exit 1; }; \
	  go vet -mod=readonly ./...); done

fmt: venv ## Format Python and Go
	@$(RUN) ruff check --select I --fix --quiet .
	@$(RUN) ruff format .
	@gofmt -l -w $(GO_MODULES)

coverage: venv ## Run the unit tests and the Go tests; print coverage, and fail below the gates
	@mkdir -p reports && rm -f reports/coverage reports/coverage.*
	@$(RUN) pytest -m unit -n 2 --dist worksteal --cov --cov-report=term $(ARGS)
	@$(RUN) python dev/checks/go_coverage.py $(GO_MODULES)

version: venv ## Print the version of all packages, or set it: VERSION=1.2.3
	@$(RUN) glasshouse version $(VERSION)
	@$(if $(VERSION),$(UV) lock --quiet)

sbom: venv ## Write what each image and the native wheel contain, in CycloneDX, into reports/sbom/
	@$(RUN) glasshouse sbom $(ARGS)

notices: venv ## Write THIRD_PARTY.md from the lock files
	@$(RUN) glasshouse notices

audit: venv ## Check hashes, digests, licences and advisories; never green when some cannot be checked
	@$(RUN) glasshouse audit $(ARGS)

security: engine venv-frameworks ## Run the tests that docs/security.md names; write their results into it
	@$(RUN) python dev/checks/security_page.py $(ARGS)

collector: ## Generate the Collectors' Go modules from their builder.yaml
	@cd collector/ocb && go build -mod=readonly -trimpath -o ../.builder go.opentelemetry.io/collector/cmd/builder
	@trap 'rm -f collector/.builder' EXIT; for folder in collector dev/bench/collector; do \
	  (cd $$folder && $(CURDIR)/collector/.builder --config builder.yaml --skip-compilation); done

dashboards: venv ## Generate grafana/dashboards/*.json from grafana/src
	@$(RUN) python -W ignore -m glasshouse_dashboards

rules: venv ## Generate rules from prometheus/slos.yaml
	@$(RUN) glasshouse rules

policy: venv ## Give the Python package its copy of redaction/rules.yaml, and what follows from it
	@$(RUN) python dev/checks/policy_copy.py

chart: venv ## Give the Helm chart its copies of configurations, rules and dashboards
	@$(RUN) python dev/checks/chart_files.py

telemetry: venv ## Generate code and docs from the events and metrics in telemetry/
	@$(RUN) glasshouse telemetry

bench: venv ## Measure what telemetry costs the API, beside none and others: CPU time a request
	@$(RUN) glasshouse-bench overhead $(ARGS)

bench-dashboards: venv ## Ask all that dashboards and rules ask, over 30 days, and each SQL statement with 100,000 waiting jobs
	@$(RUN) glasshouse-bench dashboards $(ARGS)

bench-freshness: venv engine ## Measure how soon logs, traces, metrics and counted events can be queried
	@$(RUN) glasshouse-bench freshness $(ARGS)

bench-stack: venv engine ## Measure the stack itself: its start, what it takes while idle, its disk
	@$(RUN) glasshouse-bench stack $(ARGS)

bench-scale: venv ## Measure what a record costs each part past one machine, by rate, services and labels
	@$(RUN) glasshouse-bench scale $(ARGS)

sizing: venv ## Give glasshouse size the last result of bench-scale; write its tables into deploy/README.md
	@$(RUN) glasshouse-bench scale-page

performance: venv ## Write docs/performance.md and its pictures from the last results of the benches
	@$(RUN) glasshouse-bench overhead-page $(ARGS)
	@$(RUN) glasshouse-bench pipeline-page
	@$(RUN) glasshouse-bench stack-page

redaction-report: engine ## Send the corpus through the Collector; table and docs/redaction.svg
	@$(RUN) glasshouse-bench redaction-report --picture docs/redaction.svg $(ARGS)

bench-redaction: venv bench-collector ## Measure redaction on one core, against none and the stock processor, or with BASE=… another checkout
	@$(RUN) glasshouse-bench $(if $(BASE),redaction-compare,redaction-speed) dev/bench/collector/.otelcol $(BASE) $(ARGS)

bench-admission: venv bench-collector ## Measure the components that isolate records, against none
	@$(RUN) glasshouse-bench admission-speed dev/bench/collector/.otelcol $(ARGS)

bench-pipeline: venv ## Measure the Collector as it is deployed, from end to end, beside the stock one and none
	@cd collector/distribution && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags="-s -w" -o ../.otelcol .
	@$(RUN) glasshouse-bench pipeline-speed collector/.otelcol $(ARGS)

bench-pipeline-report: venv ## Measure the deployed Collector by sender, size and rate, and its memory over ten minutes
	@cd collector/distribution && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags="-s -w" -o ../.otelcol .
	@$(RUN) glasshouse-bench pipeline-report collector/.otelcol $(ARGS)

bench-collector:
	@cd dev/bench/collector/distribution && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags="-s -w" -o ../.otelcol .

bench-python: venv ## Measure redaction in Python, against encoding JSON
	@$(RUN) python dev/bench/redaction_python.py $(ARGS)

venv: $(STAMP)
	@test -d .venv || echo "installing Python packages into .venv"
	@# What `make native` installed is in no lock.
	@$(UV) sync --frozen --quiet $(if $(wildcard .venv/.native),--inexact)

native: venv ## Build the native part of the distro and install it here; needs Rust
	@command -v cargo >/dev/null || { echo "error: cargo is missing: install Rust (https://rustup.rs); nothing but the native part needs it" >&2; exit 1; }
	@$(UV) pip install --quiet --python .venv --reinstall-package glasshouse-native ./native
	@touch .venv/.native

venv-frameworks: $(STAMP)
	@UV_PROJECT_ENVIRONMENT=.venv-frameworks $(UV) sync --frozen --quiet --group frameworks

# uv itself comes from PyPI, so Python is the only thing that must be there.
$(STAMP):
	@command -v $(PYTHON) >/dev/null || { echo "error: Python 3.11 or newer is missing: install it (Debian: apt-get install python3 python3-venv; macOS: brew install python)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old: install Python 3.11 or newer, then make PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	@test -w . || { echo "error: $(CURDIR) cannot be written: make it writable, or clone it elsewhere" >&2; exit 1; }
	@echo "installing uv $(UV_VERSION) into .uv"
	@rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r dev/requirements-uv.txt
	@touch $@
