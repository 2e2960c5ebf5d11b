"""Whether evidence of this machine may be published: sound, ours, and of what `params/` says now.

What is published is judged on every machine, where neither weights nor images need be. So
evidence that would be stale there, or answers nothing, is refused where it was counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segmodels.assets.entries import DatasetEntry, load_dataset_entries, load_weights_entries
from segmodels.evidence import Evidence
from segmodels.protocols.reading import load_protocols
from segmodels.runs.run import load_run, run_names
from segmodels.training.provenance import (
    first_change,
    training_fingerprint,
    training_in,
    training_of,
)
from segmodels.verdicts.matching import as_prepared
from segmodels.versions import EVALUATOR


def unpublishable(evidence: Evidence, *descriptions: Path) -> Iterator[str]:
    """Why evidence cannot be published, beyond what its own files show; one sentence each.

    Args:
        evidence: as `check_evidence` read it.
        descriptions: folders of `<dataset>.json` as `prepare` writes them.
    """
    identity = evidence.identity
    if not evidence.counted.ours:
        yield (
            f"it was not counted by this project ({evidence.counted.third_party}); evidence of "
            f"others is taken in by: segmodels evidence check FILE --by NAME"
        )
    if evidence.shard is not None:
        yield f"it is shard {evidence.shard}; merge all shards first (segmodels evidence merge)."
    if (evaluator := identity.evaluator) != EVALUATOR:
        yield f"it is stale: of evaluator {evaluator}, this is {EVALUATOR}; count it again."
    if identity.precision != "fp32" and evidence.effect is None:
        yield f"what {identity.precision} did to the number is not measured; count it again."
    protocols = load_protocols().values()
    if not any(one.inference_fp32 == identity.inference for one in protocols):
        yield "it is stale: no protocol in params/protocols.yaml has its inference; count it again."
    entry = load_dataset_entries().get(identity.dataset)
    if entry is None:
        yield f"its dataset {identity.dataset!r} is not in params/datasets.yaml or params/datasets."
        return
    prepared = as_prepared(entry, *descriptions)
    listed = prepared.fingerprint(identity.split)
    if listed not in (None, identity.fingerprint) and not evidence.skipped:
        yield f"it is stale: of other images than {identity.dataset} {identity.split} has now."
    yield from _about_weights(evidence, prepared, *descriptions)


def _about_weights(evidence: Evidence, dataset: DatasetEntry, *descriptions: Path) -> Iterator[str]:
    origin = evidence.weights_origin
    if "released" in origin:
        yield from _about_released(evidence, origin["released"])
    elif run := origin.get("trained", origin.get("own")):
        yield from _about_trained(evidence, run, dataset, *descriptions)
    else:
        yield "it does not say where its weights come from (field 'weights_origin')."


def _about_released(evidence: Evidence, name: str) -> Iterator[str]:
    entry = load_weights_entries().get(name)
    if entry is None:
        yield f"its weights {name!r} are not in params/weights.yaml."
    elif not entry.unknown and evidence.identity.weights not in entry.identities:
        found = evidence.identity.weights[:12]
        yield f"it is stale: its weights {found}… are none of {name!r} in params/weights.yaml."


def _about_trained(
    evidence: Evidence, name: str, dataset: DatasetEntry, *descriptions: Path
) -> Iterator[str]:
    if name not in run_names():
        yield f"the run {name!r} that trained its weights is not in params/runs."
        return
    asked = training_of(load_run(name), training_fingerprint(dataset, *descriptions))
    if asked is None:
        yield f"run {name!r} trains no weights, it has released ones."
    elif change := first_change(training_in(evidence), asked):
        yield f"it is stale: its weights are of an earlier form of run {name!r} ({change})."
