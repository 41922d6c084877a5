# `make demo` runs the app, `make test` tests it. They need only python3 >= 3.11 with venv.
PYTHON ?= python3
MANAGE = .venv/bin/python manage.py
LOCK = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet pyproject.toml

.PHONY: demo serve setup data test test-thorough test-llm lint lock messages

demo: .installed
	@$(MANAGE) demo $(ARGS)

serve: .installed
	@$(MANAGE) setup && $(MANAGE) serve $(ARGS)

setup: .installed
	@$(MANAGE) setup

# Adds the packages for Parquet files and Hugging Face folders.
data: .installed-data

test: .installed-dev
	@.ci/chromium
	@.ci/gettext
	@.ci/test $(ARGS)

# All tests on both databases, with more examples in property tests.
test-thorough: .installed-dev
	@.ci/chromium
	@.ci/gettext
	@.ci/test --thorough $(ARGS)

test-llm: .installed-dev
	@.venv/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/llm.txt
	@.venv/bin/python -m pytest -m llm $(ARGS)

lint: .installed-dev
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy . && $(MANAGE) makemigrations --check --dry-run

# Collects the strings to translate and compiles the translations; needs GNU gettext. `make messages LOCALE=fr` adds French.
LOCALES = $(sort $(notdir $(wildcard ticketclf_site/locale/*)) $(LOCALE))
messages: .installed-dev
	@$(MANAGE) makemessages $(LOCALES:%=--locale %) --no-location --no-obsolete --ignore tests --ignore bench --ignore var
	@$(MANAGE) compilemessages $(LOCALES:%=--locale %) --ignore .venv

# Updates the pinned requirements from pyproject.toml; needs uv.
lock:
	@$(LOCK) -o requirements/base.txt
	@$(LOCK) --extra data -o requirements/data.txt
	@$(LOCK) --extra dev -o requirements/dev.txt

.PHONY: .installed .installed-data .installed-dev
.installed:
	@$(PYTHON) requirements/install.py base
.installed-data:
	@$(PYTHON) requirements/install.py data
.installed-dev:
	@$(PYTHON) requirements/install.py dev
