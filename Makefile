.DEFAULT_GOAL := help
.PHONY: help run test test-full test-snowflake nightly faults budget fuzz check
.PHONY: base build-changed difference docs check-v2 check-dagster
.PHONY: secrets audit lock clean
.PHONY: check-types

# Images for containers ask for no bytecode; each of the many processes that a test
# starts would compile the package again.
unexport PYTHONDONTWRITEBYTECODE
# With it, cd may go elsewhere.
unexport CDPATH

BIN := .venv/bin
SQL := $(wildcard models snapshots analyses tests/data_tests)

# Connection values for parsing with the prod target, which connects to nothing.
DUMMY := SNOWFLAKE_ACCOUNT=none SNOWFLAKE_USER=none SNOWFLAKE_ROLE=none \
	SNOWFLAKE_WAREHOUSE=none SNOWFLAKE_PRIVATE_KEY_PATH=none

# Runs a command, which is heard only when it fails.
quietly = out=$$($(1) 2>&1) || { echo "$(1)"; echo "$$out"; exit 1; }

help: ## Show this list
	@echo "Reelhouse: MovieLens files in, a tested star schema out. Targets:"
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)
	@echo "Options: ARGS='...' for run, test and lock; PYTHON=python3.12 for .venv"

run: ## Install what a run needs, then run the whole way on the sample
	@sh scripts/install.sh run
	@$(BIN)/reelhouse run --report $(ARGS)

test: check ## Install what tests need, then run every check and test
	@$(BIN)/python -m pytest -m 'not long and not nightly' --durations=15 $(ARGS)

test-full: ## Run the tests that take longer
	@sh scripts/install.sh test
	@$(BIN)/python -m pytest -n2 -m 'long and not nightly' --durations=15 $(ARGS)

test-snowflake: ## Test a real account: see docs/snowflake.md
	@sh scripts/install.sh test
	@REELHOUSE_TEST_ACCOUNT=1 $(BIN)/python -m pytest -m nightly -n0 -q -s tests/snowflake $(ARGS)

nightly: ## Break each rule to see that a test notices; the longest tests
	@sh scripts/install.sh test
	@$(BIN)/python -m pytest -m 'nightly and not fault' --durations=15 $(ARGS)

faults: ## Try every fault of docs/faults.md for real, and write its table
	@sh scripts/install.sh test
	@mkdir -p target && rm -f target/faults.json
	@$(BIN)/python -m pytest -m fault --fault-cases target/faults.json \
		--deselect tests/faults/test_kills.py::test_kills_at_random_moments_leave_no_trace
	@$(BIN)/python -m pytest -m fault --dist=load tests/faults/test_kills.py \
		--kills 200 --fault-cases target/faults.json --fault-page docs/faults.md $(ARGS)

budget: ## Write tests/budget.yml, the rows that models may read, from the sample
	@sh scripts/install.sh run
	@$(BIN)/python -m tools.bench.budget

fuzz: ## Try the loader on thousands of files with any bytes, and its surroundings
	@sh scripts/install.sh test
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -n0 -q \
		tests/scripts/test_load_fuzz.py tests/scripts/test_surroundings_fuzz.py $(ARGS)

check: ## Run the static checks alone, cheap ones first
	@sh scripts/install.sh test
	@$(call quietly,$(BIN)/ruff check)
	@$(call quietly,$(BIN)/ruff format --check)
	@$(call quietly,$(BIN)/yamllint --strict .)
	@$(call quietly,$(BIN)/lint-imports --cache-dir target/imports)
	@$(call quietly,$(BIN)/zizmor --offline --quiet --persona auditor .github)
	@mkdir -p target/lint
	@$(MAKE) --no-print-directory --jobs=2 target/lint/dev target/lint/sql \
		target/lint/prod check-types
	@echo "Checks passed"

check-types:
	@$(call quietly,$(BIN)/mypy --no-error-summary)

# What dbt reads. A folder is newer, too, where a file has come or gone, and what has
# passed is not checked again until something is.
LEVELS := / /* /*/* /*/*/* /*/*/*/*
READ := $(wildcard $(foreach folder,macros seeds $(SQL),$(addprefix $(folder),$(LEVELS))) \
	*.yml .sqlfluff* locks/*)

# A first run takes up what was parsed here.
kept = mkdir -p target/parsed/$(1) && \
	{ [ -e target/parsed/$(1)/$(PARSED) ] || cp $(2)/$(PARSED) target/parsed/$(1); }
PARSED := partial_parse.msgpack

# dbt-bouncer reads the manifest of this parse.
target/lint/dev: $(READ)
	@$(call quietly,$(BIN)/dbt --quiet --warn-error parse --target dev \
		--target-path target --log-path logs)
	@$(call kept,dev,target)
	@$(call quietly,$(BIN)/dbt-bouncer run)
	@: >$@

target/lint/prod: $(READ)
	@$(call quietly,$(DUMMY) $(BIN)/dbt --quiet --warn-error parse --target prod \
		--target-path target/prod --log-path target/prod)
	@$(call kept,prod,target/prod)
	@: >$@

# The templater opens the warehouse of the target: an empty one of its own.
target/lint/sql: $(READ)
	@$(call quietly,REELHOUSE_WAREHOUSE=target/lint $(BIN)/sqlfluff lint $(SQL))
	@: >$@

V2 := target/v2/bin/dbt-core-experimental-parser

# The newest version whose wheel holds the engine; those after it download it.
$(V2):
	@$(BIN)/python -m venv target/v2
	@target/v2/bin/pip install --quiet --no-deps --only-binary :all: \
		dbt-core-experimental-parser==2.0.0a4

check-v2: $(V2) ## Parse with the engine of dbt v2 (needs a package index)
	@for target in dev prod; do $(DUMMY) $(V2) parse --target $$target \
		--project-dir . --profiles-dir . --target-path target/v2/parsed || exit 1; done

DAGSTER := target/dagster/bin

$(DAGSTER)/dagster:
	@$(BIN)/python -m venv target/dagster
	@target/dagster/bin/pip install --quiet uv
	@echo "dbt-core-experimental-parser ; python_version < '3'" >target/dagster/left-out
	@grep -E '^(dbt-|duckdb|sqlglot)' locks/run.txt | cut -d' ' -f1 >target/dagster/same
	@$(DAGSTER)/uv pip install --quiet --python $(DAGSTER)/python --editable '.[local]' \
		--override target/dagster/left-out --constraint target/dagster/same \
		'dagster-dbt>=0.29'

check-dagster: $(DAGSTER)/dagster ## Try the example for Dagster (needs a package index)
	@rm -rf target/dagster/warehouse && mkdir -p target/dagster/home
	@$(DAGSTER)/dbt --quiet parse --target dev --target-path target --log-path logs
	@for assets in '*' 'marts/fct_tags' 'published'; do \
		PATH="$$PWD/$(DAGSTER):$$PATH" DAGSTER_HOME="$$PWD/target/dagster/home" \
		REELHOUSE_WAREHOUSE=target/dagster/warehouse $(DAGSTER)/dagster asset \
		materialize --select "$$assets" -f examples/dagster_reelhouse.py || exit 1; done

# The tree to compare with: a commit, with the files of this tree's sample.
BASE ?= origin/main

base: ## Build the commit BASE (origin/main) in target/base, to compare with
	@mkdir -p target/base
	@find target/base -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
	@git archive $(BASE) | tar -xf - -C target/base
	@cp -R data/sample/. target/base/data/sample
	@cd target/base && sh scripts/install.sh run
	@cd target/base && $(call quietly,env -u REELHOUSE_WAREHOUSE \
		$(BIN)/reelhouse run --target dev)
	@echo "The base is built: target/base/data/warehouse/published.duckdb"

build-changed: ## Build what differs from the base, upon a copy of its warehouse
	@sh scripts/install.sh run
	@rm -rf target/changed && mkdir -p target/changed
	@cp target/base/data/warehouse/reelhouse.duckdb target/changed
	@REELHOUSE_WAREHOUSE=target/changed $(BIN)/reelhouse run --target dev --unit-tests

difference: ## Show as Markdown how the published data differ from the base's
	@$(BIN)/reelhouse compare --format markdown \
		target/base/data/warehouse/published.duckdb dev || test $$? = 1

docs: ## Write docs/entities.md, exposures, and the documentation as a page
	@sh scripts/install.sh run
	@$(BIN)/python -m tools.exposures
	@$(call quietly,$(BIN)/dbt --quiet docs generate --static --target dev \
		--target-path target --log-path logs)
	@$(BIN)/python -m tools.diagram
	@echo "Tables and relations: docs/entities.md"
	@echo "The whole documentation: target/static_index.html, for any browser"

secrets: ## Look for secrets in the tree
	@sh scripts/install.sh test
	@$(BIN)/detect-secrets-hook --baseline .secrets.baseline \
		$$(git ls-files | grep -v '^locks/\|^data/sample/\|^docs/entities')

audit: secrets ## Look for secrets, and for known weaknesses (needs a network)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r locks/run.txt

# One resolution for every Python and system; versions that are locked stay as they
# are unless ARGS=--upgrade. The run lock takes its versions from the test lock.
RESOLVE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --extra dashboard --extra snowflake \
	--extra local --extra checkout $(ARGS)

lock: ## Resolve the lock files, with uv
	@command -v uv >/dev/null || \
		{ echo "make lock needs uv: install it with 'pip install uv'." >&2; exit 1; }
	@$(RESOLVE) --extra test pyproject.toml --output-file locks/test.txt
	@$(RESOLVE) --constraint locks/test.txt pyproject.toml --output-file locks/run.txt

clean: ## Remove .venv and what is made by building and testing; data stays
	@rm -rf .venv target logs build dist dbt_internal_packages .mypy_cache \
		.pytest_cache .ruff_cache .hypothesis scripts/*.egg-info
	@find . -name .git -prune -o -name __pycache__ -prune -exec rm -rf {} +
