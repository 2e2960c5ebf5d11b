"""The head of evidence: all of it but the counts, as `<key>.json` has it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from segmodels.core.files import digest
from segmodels.evidence.blocks import Blocks
from segmodels.evidence.counted import Counted
from segmodels.evidence.identity import Identity
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.images import Images
from segmodels.evidence.record import Evidence
from segmodels.evidence.shard import Shard
from segmodels.evidence.soundness import unsound

SCHEMA = 2

#: Of evidence in blocks, which a reader that knows nothing of them must not take for that of
#: single images.
_IN_BLOCKS = (3,)

#: Evidence of schema 1 has no field for who counted it, so it counts as unknown.
_WHOLE = (1, SCHEMA)

#: For messages about what may be evidence of any of them.
READABLE = "schemas 1 to 3"

Head = dict[str, Any]


def counts_text(images: Sequence[ImageCounts]) -> bytes:
    """The lines of `<key>.counts.jsonl`, of which a head has the SHA-256 however they are kept."""
    return Images(images).text()


def head_of(evidence: Evidence) -> Head:
    """The head, with the SHA-256 of the counts, and with that of itself."""
    head = {
        "schema": _IN_BLOCKS[0] if evidence.blocks else SCHEMA,
        "key": evidence.key,
        "identity": vars(evidence.identity),
        "weights_origin": evidence.weights_origin,
        "classes": list(evidence.classes),
        "outputs": evidence.outputs,
        "images": len(evidence.images),
        "expected_images": evidence.expected_images,
        "software": evidence.software,
        "counts_sha256": hashlib.sha256(counts_text(evidence.images)).hexdigest(),
        "counted": {name: value for name, value in vars(evidence.counted).items() if value},
    }
    if evidence.shard is not None:
        head["shard"] = asdict(evidence.shard)
    if evidence.effect is not None:
        head["effect"] = evidence.effect
    if evidence.skipped:
        head["skipped"] = evidence.skipped
    if evidence.blocks is not None:
        head["blocks"] = {**vars(evidence.blocks), "sizes": list(evidence.blocks.sizes)}
    return {**head, "record_sha256": digest(head)}


def evidence_of(head: Head, images: Sequence[ImageCounts]) -> Evidence:
    """What a head and its counts say (KeyError, TypeError or ValueError if they are none)."""
    return Evidence(
        identity=Identity(**head["identity"]),
        classes=tuple(head["classes"]),
        outputs=int(head["outputs"]),
        expected_images=int(head["expected_images"]),
        weights_origin=dict(head["weights_origin"]),
        software=dict(head["software"]),
        images=images,
        shard=_shard(head.get("shard")),
        effect=head.get("effect"),
        skipped=dict(head.get("skipped", {})),
        counted=Counted(**head["counted"]) if head["schema"] != 1 else Counted(),
        blocks=_blocks(head.get("blocks")),
    )


def _blocks(entry: object) -> Blocks | None:
    if entry is None:
        return None
    if not isinstance(entry, dict) or not isinstance(entry["sizes"], list):
        raise TypeError("field 'blocks' is an object, and its 'sizes' is a list of whole numbers")
    return Blocks(tuple(entry["sizes"]), str(entry["images_sha256"]))


def _shard(entry: dict[str, Any] | None) -> Shard | None:
    if entry is None:
        return None
    return Shard(int(entry["index"]), int(entry["number"]), tuple(entry["digests"]))


def problems(name: str, head: Head, evidence: Evidence) -> Iterator[str]:
    """What is wrong with evidence that carries this name."""
    readable = _IN_BLOCKS if evidence.blocks else _WHOLE
    if (schema := head.get("schema")) not in readable:
        known = f"this version reads {_IN_BLOCKS[0]} with a field 'blocks', {SCHEMA} without"
        yield f"field 'schema' is {schema!r}, {known}."
    yield from unsound(evidence)
    if evidence.key != head["key"] or evidence.key != name:
        yield f"the identity hashes to key {evidence.key}, not to the name it carries."
    if len(evidence.images) != head["images"]:
        yield f"{len(evidence.images)} images are counted, field 'images' says {head['images']}."
    if head["schema"] != 1 and head["record_sha256"] != digest(_without_digest(head)):
        yield "a field was changed after it was written; 'record_sha256' is of other ones."


def _without_digest(head: Head) -> Head:
    return {name: value for name, value in head.items() if name != "record_sha256"}
