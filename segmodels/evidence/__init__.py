"""Evidence: what a run saw, as integers, with the hashes of everything that made them.

On disk one piece of evidence is two text files named by its key:

- `<key>.json` has what was evaluated (weights, dataset, inference, condition, software), and who
  counted it; a checksum over all of that reveals an edited field;
- `<key>.counts.jsonl` holds one line per image: the non-zero cells of its count matrix.

Published evidence, which git keeps, says the same in fewer bytes: `<key>.counts.xz` in place of
the lines, and one bundle for all conditions of a network (`segmodels.evidence.bundle`). Checksums
are those of the lines, so that the form of a file decides nothing. Under a disturbance, frames that
depend on each other have one sum for each block of them (`segmodels.evidence.blocks`).

A shard, the part of a split that one of several processes counted, looks the same and carries
the key of the whole; `merge_evidence` makes the whole of all its shards.

All are reproducible to the byte, but for how another liblzma packs the same counts: seconds,
machine and dates stand in a record of their own (see `segmodels.core.environment`).
Anyone can re-judge evidence without torch, weights or images.
"""

from __future__ import annotations

from segmodels.evidence.check import check_evidence, check_pixels, registered_pixels
from segmodels.evidence.counted import Counted
from segmodels.evidence.files import read_evidence, write_evidence
from segmodels.evidence.finding import evidence_files, find_evidence
from segmodels.evidence.identity import Identity
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.places import images_asked
from segmodels.evidence.record import Evidence
from segmodels.evidence.shard import Shard

__all__ = [
    "Counted",
    "Evidence",
    "Identity",
    "ImageCounts",
    "Shard",
    "check_evidence",
    "check_pixels",
    "evidence_files",
    "find_evidence",
    "images_asked",
    "read_evidence",
    "registered_pixels",
    "write_evidence",
]
