"""MLflow's registry: one registered model per network and dataset, one version per weights.

Aliases: `released` is what the authors gave out, `best` the highest mIoU under the protocol
that most versions were measured with. Versions point at logged models; no weights are copied.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flows.tracking import store
from flows.tracking.models import Models

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from flows.tracking.tracked_run import TrackedRun
    from segmodels.leaderboard import Row
    from segmodels.verdicts.row_subject import RowSubject


def register(client: MlflowClient, models: Models, entries: Iterable[TrackedRun]) -> None:
    """Make the registry hold every network and all weights that were measured. Idempotent."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for entry in entries:
        for row in entry.rows:
            if row.evidence_key and row.weights.sha256 in models.known:
                groups[registered_name(row.subject)].append(row)
    registered = {model.name: model for model in store.every(client.search_registered_models)}
    versions = {
        (version.name, version.tags.get("weights_sha256")): str(version.version)
        for version in store.every(client.search_model_versions)
    }
    for name, rows in groups.items():
        present = registered[name].aliases if name in registered else {}
        if name not in registered:
            client.create_registered_model(
                name, {"dataset": rows[0].subject.dataset}, _described(rows[0])
            )
        numbers = _versions(client, models, name, rows, versions)
        for alias, weights in aliases(rows).items():
            if str(present.get(alias)) != numbers[weights]:
                client.set_registered_model_alias(name, alias, numbers[weights])


def registered_name(subject: RowSubject) -> str:
    """Network and dataset, without the characters that MLflow forbids."""
    return f"{subject.model}-{subject.dataset}".replace("/", "-").replace(":", "-")


def _versions(
    client: MlflowClient,
    models: Models,
    name: str,
    rows: list[Row],
    known: dict[tuple[str, str | None], str],
) -> dict[str, str]:
    """Version numbers by sha256 of the weights; missing versions are made."""
    numbers: dict[str, str] = {}
    for row in sorted(rows, key=_origin):
        weights = _weights(row)
        if (name, weights) not in known:
            known[name, weights] = _version(client, name, models.known[weights], row)
        numbers[weights] = known[name, weights]
    return numbers


def _version(client: MlflowClient, name: str, model: Any, row: Row) -> str:
    made = client.create_model_version(
        name,
        source=f"models:/{model.model_id}",
        tags={"weights_sha256": row.weights.sha256, "origin": _origin(row)},
        description=f"Weights {_origin(row)}, known by their sha256; fetched by `{row.command}`.",
        model_id=model.model_id,
    )
    return str(made.version)


def aliases(rows: list[Row]) -> dict[str, str]:
    """sha256 of the weights by alias, of rows of one network and dataset."""
    found: dict[str, str] = {}
    released = [row for row in rows if "released" in row.weights.origin]
    if released:
        found["released"] = _weights(min(released, key=_origin))
    whole = [row for row in rows if _is_whole(row)]
    if whole:
        common = _common_protocol(whole)
        found["best"] = _weights(
            max(whole, key=lambda r: (r.protocol_name == common, r.verdict.verified))
        )
    return found


def _is_whole(row: Row) -> bool:
    """Whether its number is of all images of the split."""
    seen = row.evidence
    number = row.verdict.verified
    return number is not None and (seen is None or seen.images == seen.expected_images)


def _weights(row: Row) -> str:
    return row.weights.sha256 or ""


def _common_protocol(rows: list[Row]) -> str:
    """The protocol under which most weights were measured; the first by name among equals."""
    pairs = {(row.protocol_name, row.weights.sha256) for row in rows}
    counted = Counter(protocol for protocol, _ in pairs)
    return min(counted, key=lambda protocol: (-counted[protocol], protocol))


def _origin(row: Row) -> str:
    """`released NAME` or `trained NAME`; the former sort first."""
    kind = "released" if "released" in row.weights.origin else "trained"
    return f"{kind} {row.weights.origin.get(kind, row.weights.sha256)}"


def _described(row: Row) -> str:
    of = f"{row.subject.model} on {row.subject.dataset}"
    return f"{of}. Versions are weights, known by their sha256."
