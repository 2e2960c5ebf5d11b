# Verbs. Each is one command that also works without make.
.PHONY: setup test lint repro ui docs audit

setup:  ## install everything into the active environment
	python -m pip install -c requirements.lock -e '.[dev]'

test:  ## run the tests
	pytest

lint:  ## format, lint, types, import rules
	ruff format .
	ruff check --fix .
	mypy
	lint-imports

repro:  ## rebuild what params/active.yaml names
	dvc repro

ui:  ## Prefect, MLflow and a worker on this machine; `python -m flows.servers down` ends them
	python -m flows.servers up

docs:  ## the documentation as a site: docs/_build/index.html
	python -m sphinx -W --keep-going -n -j auto docs docs/_build

audit:  ## what is known to be wrong with pinned dependencies (pip install pip-audit; wants a network); SECURITY.md explains the one left out
	python -m pip_audit -r requirements.lock --no-deps --disable-pip --ignore-vuln PYSEC-2026-2447
