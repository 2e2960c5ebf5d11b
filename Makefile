# Five verbs. Each is one command that also works without make.
.PHONY: setup test lint repro ui

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
