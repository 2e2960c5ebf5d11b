"""The images behind a number as a dataset of MLflow: name, fingerprint, address, split."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from segmodels.assets.entries import DatasetEntry, load_dataset_entries

if TYPE_CHECKING:
    from mlflow.entities import Dataset

    from segmodels.leaderboard import Row

#: Longest digest that MLflow keeps, characters; the profile holds the whole fingerprint.
_DIGEST = 36


def dataset_of(row: Row) -> Dataset | None:
    """The split a row was measured on; None for a row without evidence."""
    seen, subject = row.evidence, row.subject
    if seen is None:
        return None
    return _dataset(subject.dataset, subject.split, seen.fingerprint, seen.expected_images)


def inputs(row: Row, model: str | None, known: Any) -> dict[str, list[Any]]:
    """What `log_inputs` still has to log of a run; empty when MLflow has everything."""
    from mlflow.entities import DatasetInput, InputTag, LoggedModelInput

    found: dict[str, list[Any]] = {}
    dataset = dataset_of(row)
    if dataset and not (known and known.dataset_inputs):
        tags = [InputTag("mlflow.data.context", row.subject.split)]
        found["datasets"] = [DatasetInput(dataset, tags)]
    if model and not (known and known.model_inputs):
        found["models"] = [LoggedModelInput(model)]
    return found


@cache
def _dataset(name: str, split: str, fingerprint: str, images: int) -> Dataset:
    from mlflow.entities import Dataset

    entry = load_dataset_entries().get(name)
    kind, source = _source(entry)
    profile = {"split": split, "images": images, "fingerprint": fingerprint}
    return Dataset(
        name, fingerprint[:_DIGEST], kind, json.dumps(source), profile=json.dumps(profile)
    )


def _source(entry: DatasetEntry | None) -> tuple[str, dict[str, Any]]:
    """The address MLflow links to, or a sentence where there is nothing to download."""
    if entry and entry.archives:
        return "http", {"url": entry.archives[0].url}
    return "code", {"tags": {"source": entry.source if entry else "unknown"}}
