"""Orchestration: DVC, Prefect and MLflow around the library, which knows none of them."""
