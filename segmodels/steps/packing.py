"""Packing: the evidence of a run in one file that can be handed to somebody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segmodels.claims import load_claims
from segmodels.core import paths
from segmodels.core.files import read_json
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation.label_maps import is_whole, maps_digest
from segmodels.evidence import Evidence, check_evidence, evidence_files
from segmodels.evidence.signature import sign
from segmodels.evidence.submission import (
    ENDING,
    Submission,
    part_of,
    read_submission,
    submission_of,
    write_submission,
)
from segmodels.steps.verify import run_of


@dataclass(frozen=True)
class PackedRun:
    """What was packed.

    Attributes:
        path: of the file.
        keys: of the evidence in it.
        left_out: a reason for each piece of the run that is not in it.
        published: pieces that the project publishes and this machine did not count.
    """

    path: Path
    keys: list[str]
    left_out: list[str]
    published: int = 0


def packable_runs() -> dict[str, list[Path]]:
    """Folders of evidence by the name of their run; what this machine counted goes first."""
    found: dict[str, list[Path]] = {}
    for home in paths.evidence_folders():
        inside = sorted(home.iterdir()) if home.is_dir() else []
        for folder in inside:
            if folder.is_dir() and folder.name != "third-party":
                found.setdefault(folder.name, []).append(folder)
    return found


def pack_run(
    run: str, target: Path | None = None, key: Path | None = None, force: bool = False
) -> PackedRun:
    """Write the evidence of a run, with environment, hashes and the digest of its label maps.

    Only what others can judge goes in: whole splits, undisturbed, in fp32, counted by this project.

    Args:
        run: its name; or a claim, for the run that evaluates its weights.
        target: file to write; default `<run>.submission` here.
        key: file of a secret key to sign with.
        force: replace the file where it is there and holds something else.

    Raises:
        SegmodelsError: there is no such evidence, a piece is unsound, the key cannot be used, or
            the file is there; nothing is written.
    """
    if key:
        sign(b"", key, "")  # for what is wrong with the key, before the work
    known = packable_runs()
    if run not in known and (claim := load_claims().get(run)) and claim.weights:
        run = run_of(claim).name
    if run not in known:
        raise UnknownNameError("run with evidence", run, known)
    parts, left_out, published = {}, dict[str, str](), 0
    for folder in known[run]:
        for path, evidence in _checked(folder):
            if why := _unfit(evidence):
                left_out[evidence.key] = f"of {path.parent.name}: {why}"
            elif evidence.key not in parts:
                protocol = path.parent.name
                maps, about = _maps(run, protocol, evidence.key), _environment(run, protocol)
                parts[evidence.key] = part_of(evidence, protocol, maps, about)
                published += paths.published_evidence() in path.parents
    if not parts:
        why = f" ({next(iter(left_out.values()))})" if left_out else ""
        raise SegmodelsError(f"{known[run][0]}: nothing in it that others could judge{why}.")
    submission = submission_of(run, [parts[key] for key in sorted(parts)])
    path = target or Path.cwd() / f"{run}{ENDING}"
    if key:
        comment = f"segmodels submission of {run}"
        submission = replace(submission, signature=sign(submission.signed, key, comment))
    _check_replaced(path, submission, force)
    write_submission(path, submission)
    return PackedRun(path, sorted(parts), sorted(left_out.values()), published)


def _check_replaced(path: Path, submission: Submission, force: bool) -> None:
    """Refuse to lose what a file holds: other content, or a signature of the same."""
    if force or not path.exists():
        return
    try:
        before = read_submission(path)
    except SegmodelsError:  # no submission, whose owner may want it
        lost = "something else"
    else:
        lost = "other evidence" if before.signed != submission.signed else ""
        lost = lost or ("a signature" if before.signature and not submission.signature else "")
    if lost:
        raise SegmodelsError(
            f"{path}: there already, and holds {lost}. Name another file (--out FILE), or replace "
            f"it (--force)."
        )


def _checked(folder: Path) -> Iterator[tuple[Path, Evidence]]:
    for path in evidence_files(folder):
        yield path, check_evidence(path, *paths.descriptions())


def _unfit(evidence: Evidence) -> str:
    """Why nobody else would take a piece; empty if they would."""
    if not evidence.counted.ours:
        return "not counted here"
    if evidence.identity.condition is not None:
        return "of disturbed images or weights"
    if evidence.identity.precision != "fp32":
        return f"in {evidence.identity.precision}"
    if evidence.shard is not None or not evidence.complete:
        return "not of the whole split"
    return ""


def _maps(run: str, protocol: str, key: str) -> Mapping[str, Any]:
    """Digest and number of the label maps, where they were kept."""
    folder = paths.maps(run, protocol)
    return maps_digest(folder) if is_whole(folder, key) else {}


def _environment(run: str, protocol: str) -> Mapping[str, Any]:
    """Machine, seconds and software of the evaluation, where they are on record."""
    path = paths.record(run, protocol)
    found = read_json(path) if path.is_file() else {}
    return found if isinstance(found, dict) else {}
