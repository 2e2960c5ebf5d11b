"""Judging a submission without images: is it whole, what would it answer, and with what verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segmodels.claims import SCORES, Claim
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, check_evidence
from segmodels.evidence.counted import NOT_CHECKED
from segmodels.evidence.signature import check_signature
from segmodels.evidence.submission import Part, Submission, read_submission, unpack_part
from segmodels.metrics.scores import score
from segmodels.verdicts.caveats import capped_if
from segmodels.verdicts.compare import judge
from segmodels.verdicts.matching import has_released_weights, other_network
from segmodels.verdicts.project import Project
from segmodels.verdicts.resolved import resolve
from segmodels.verdicts.third_party import admit, disagreement, objections
from segmodels.verdicts.verdict import Answer, Verdict


@dataclass(frozen=True)
class JudgedPart:
    """What became of one piece of evidence.

    Attributes:
        part: as it was packed.
        evidence: sound in itself.
        objection: why it can answer nothing here; empty if it can.
        scores: mean IoU by the protocols here that have its inference, percent.
        answers: claims that it answers, each with the verdict it would give as a third party's.
    """

    part: Part
    evidence: Evidence
    objection: str
    scores: dict[str, float]
    answers: list[tuple[Claim, Verdict]]


@dataclass(frozen=True)
class JudgedSubmission:
    """A whole file.

    Attributes:
        submission: what it holds.
        signed: `not checked`, the public key that its signature was checked with, or empty where it
            has none.
        parts: each piece, judged.
    """

    submission: Submission
    signed: str
    parts: list[JudgedPart]


def judge_submission(
    path: Path,
    project: Project,
    descriptions: Sequence[Path],
    key: str = "",
    folders: Sequence[Path] = (),
) -> JudgedSubmission:
    """Check a file and judge what is in it.

    Args:
        path: of the file.
        project: its claims, protocols and rules.
        descriptions: folders of `<dataset>.json` as `prepare` writes them.
        key: public key of minisign, or its file.
        folders: of evidence that is here, with which it must agree.

    Raises:
        SegmodelsError: it was changed, its evidence is unsound, or the signature is not of the key.
    """
    submission = read_submission(path)
    signed = _checked(path, submission, key)
    with tempfile.TemporaryDirectory() as folder:
        parts = [
            _judged(project, part, evidence, descriptions, folders)
            for part in submission.parts
            for evidence in [_sound(path, part, Path(folder), descriptions)]
        ]
    return JudgedSubmission(submission, signed, parts)


def admit_submission(
    path: Path,
    judged: JudgedSubmission,
    folders: Sequence[Path],
    descriptions: Sequence[Path],
    by: str,
    url: str = "",
) -> list[Path]:
    """Keep what is in a file as evidence of a third party, with its signature on record.

    Args:
        path: of the file.
        judged: what it holds.
        folders, descriptions, by, url: as for `admit`.

    Returns:
        paths of the copies.

    Raises:
        SegmodelsError: anything about a piece is wrong or unknown; it and those behind it are not
            kept.
    """
    copies = []
    with tempfile.TemporaryDirectory() as folder:
        for one in judged.parts:
            file = unpack_part(one.part, Path(folder))
            try:
                copies.append(admit(file, folders, descriptions, by, url, judged.signed))
            except SegmodelsError as error:
                raise SegmodelsError(_named(error, path, Path(folder))) from None
    return copies


def _checked(path: Path, submission: Submission, key: str) -> str:
    """What is known of the signature."""
    if not key:
        return NOT_CHECKED if submission.signature else ""
    if not submission.signature:
        raise SegmodelsError(f"{path}: it is not signed, so that --key has nothing to check.")
    try:
        return check_signature(submission.signed, submission.signature, key)
    except SegmodelsError as error:
        raise SegmodelsError(f"{path}: {error}") from None


def _sound(path: Path, part: Part, folder: Path, descriptions: Sequence[Path]) -> Evidence:
    file = unpack_part(part, folder)
    try:
        return check_evidence(file, *descriptions)
    except SegmodelsError as error:
        raise SegmodelsError(_named(error, path, folder)) from None


def _named(error: SegmodelsError, path: Path, folder: Path) -> str:
    """A message about an unpacked file as one about the file that it came in."""
    return str(error).replace(f"{folder}/", f"{path}, ")


def _judged(
    project: Project,
    part: Part,
    evidence: Evidence,
    descriptions: Sequence[Path],
    folders: Sequence[Path],
) -> JudgedPart:
    objection = next(objections(evidence, *descriptions), "")
    objection = objection or disagreement(evidence, folders)
    scores = {
        name: score(evidence, protocol).miou
        for name, protocol in project.protocols.items()
        if protocol.inference == evidence.identity.inference
        and (not protocol.datasets or evidence.identity.dataset in protocol.datasets)
    }
    answers = [] if objection else list(_answers(project, evidence))
    return JudgedPart(part, evidence, objection, scores, answers)


def _answers(project: Project, evidence: Evidence) -> Iterator[tuple[Claim, Verdict]]:
    """Claims that evidence answers by its content, with their verdicts."""
    identity = evidence.identity
    for claim in project.claims:
        if claim.metric not in SCORES or claim.weights is None:
            continue
        if (claim.dataset, claim.split) != (identity.dataset, identity.split):
            continue
        resolved = resolve(project, claim)
        protocol, weights = resolved.protocol, resolved.weights
        if protocol is None or weights is None or protocol.inference_fp32 != identity.inference:
            continue
        fits = has_released_weights(evidence, weights) or weights.may_be(identity.weights)
        if fits and not other_network(claim, weights, [evidence]):
            answer = Answer((evidence,), "third_party", "not named")
            verdict = judge(claim, protocol, answer, resolved.obstacles, project.rules)
            yield claim, capped_if(verdict, weights.unknown)
