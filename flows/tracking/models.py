"""Weights as logged models of MLflow: known by their checksum, never copied."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.tracking import store
from segmodels.assets.entries import load_weights_entries

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from flows.tracking.tracked_run import TrackedRun
    from segmodels.leaderboard import Row


class Models:
    """The logged models of an experiment, by sha256 of their weights."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self.client, self.experiment = client, experiment
        found = store.every(client.search_logged_models, [experiment], max_results=100)
        self.known: dict[str, Any] = {}
        for model in found:
            self.known.setdefault(model.tags.get("weights_sha256", ""), model)

    def of(self, entry: TrackedRun) -> str | None:
        """Id of the logged model of an entry's weights, made at the first need."""
        weights = entry.row.weights.sha256
        if weights is None:
            return None
        model = self.known.get(weights)
        if model is None or str(model.status) != "READY":
            model = self.known[weights] = self._finished(entry.row, model)
        return str(model.model_id)

    def _finished(self, row: Row, model: Any) -> Any:
        """A new model, or one that an interrupted process left unfinished."""
        training = self._training(row)
        about = _about(row)
        model = model or self.client.create_logged_model(
            self.experiment,
            name=_name(row),
            source_run_id=training,
            tags={key: about[key] for key in ("weights_sha256", "origin")},
            params={"model": row.subject.model, "dataset": row.subject.dataset},
            model_type="semantic-segmentation",
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.json"
            path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            self.client.log_model_artifact(model.model_id, str(path))
        if training:
            self._output(training, model.model_id)
        return self.client.finalize_logged_model(model.model_id, "READY")

    def _training(self, row: Row) -> str | None:
        """The MLflow run that trained these weights, if it was logged."""
        place = self.client.get_experiment_by_name(store.TRAINING)
        if place is None or "trained" not in row.weights.origin:
            return None
        which = f"tags.weights_sha256 = '{row.weights.sha256}'"
        found = self.client.search_runs([place.experiment_id], which, max_results=1)
        return str(found[0].info.run_id) if found else None

    def _output(self, training: str, model: str) -> None:
        from mlflow.entities import LoggedModelOutput

        known = self.client.get_run(training).outputs
        if not (known and any(o.model_id == model for o in known.model_outputs)):
            self.client.log_outputs(training, [LoggedModelOutput(model, 0)])


def _name(row: Row) -> str:
    """What people call the weights, without the characters that MLflow forbids."""
    origin = row.weights.origin
    name = str(origin.get("released") or origin.get("trained") or row.subject.model)
    return "".join("-" if letter in "/:.%\"'" else letter for letter in name)


def _about(row: Row) -> dict[str, Any]:
    """Where the weights are to be had; this is all that MLflow keeps of them."""
    released = row.weights.origin.get("released")
    entry = load_weights_entries().get(str(released)) if released else None
    return {
        "weights_sha256": row.weights.sha256 or "",
        "origin": "released" if released else "trained",
        "model": row.subject.model,
        **row.weights.origin,
        "source": entry.source if entry else f"params/runs/{row.run}.yaml",
        "files": [{"name": f.name, "url": f.url} for f in entry.files] if entry else [],
        "again": row.command,
    }
