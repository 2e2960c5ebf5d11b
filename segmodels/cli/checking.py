"""`segmodels claims`, `segmodels verify` and `segmodels log`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from segmodels.cli import importing
from segmodels.cli.common import (
    Add,
    device_option,
    engine_of,
    engine_options,
    force_option,
    relative,
)
from segmodels.cli.progress import progress

if TYPE_CHECKING:
    from segmodels.leaderboard import Row
    from segmodels.verdicts.row_subject import RowSubject
    from segmodels.verdicts.verdict import Verdict


def add(commands: Add) -> None:
    """Add all three."""
    claims = commands("claims", _claims_validate, "check the claims files, or import some")
    actions = claims.add_subparsers(metavar="ACTION")
    actions.add_parser("validate", help="every field, and every name a claim uses")
    importing.add(actions)
    about = "check a published claim: fetch, evaluate or count, judge"
    verify = commands("verify", _verify, about)
    verify.add_argument("claim", help="of params/claims; `segmodels list claims` lists them")
    have = "files that you have of its weights, as `segmodels weights add` takes them"
    verify.add_argument("--weights", type=Path, nargs="+", metavar="FILE", help=have)
    engine_options(verify)
    device_option(verify)
    force_option(verify)
    log = commands("log", _log, "a claim's reproduction log as Markdown, ready to paste")
    log.add_argument("claim", help="as for verify")
    log.add_argument("--out", type=Path, metavar="FILE", help="write to a file, not the screen")
    alone = "by published evidence alone, not by what this machine counted"
    log.add_argument("--published", action="store_true", help=alone)


def _claims_validate(chosen: argparse.Namespace) -> int:
    from segmodels.claims import load_claims, load_statements
    from segmodels.verdicts.validation import problems

    del chosen
    found = problems()
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    if found:
        return 1
    print(f"{len(load_claims())} claims and {len(load_statements())} statements, all good")
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    from segmodels.steps.options import Options
    from segmodels.steps.verify import verify

    if chosen.weights:
        _add_weights(chosen.claim, chosen.weights)
    with engine_of(chosen) as engine:
        if engine is not None and not engine.leads:
            engine.serve()
            return 0
        how = {"force": chosen.force, "engine": engine, "shards": chosen.shards}
        row = verify(chosen.claim, Options(chosen.device, progress, **how))
    return _told(row)


def _told(row: Row) -> int:
    from segmodels.verdicts.rules import load_rules

    subject, verdict = row.subject, row.verdict
    print(f"{subject.id}: {_compared(subject, verdict)}")
    if verdict.interval:
        low, high = verdict.interval
        over = verdict.over or "images"
        print(
            f"  {load_rules().interval.confidence:.0%} interval {low:.2f} to {high:.2f} over {over}"
        )
    if subject.kind == "claim":
        print(
            f"  protocol {row.protocol_name or 'not stated'}, {verdict.level or 'nothing measured'}"
        )
    if row.evidence_file:
        print(f"  evidence reports/{row.evidence_file}")
    for line in verdict.todo or filter(None, [verdict.reason]):
        print(f"  {line}")
    return 0


def _log(chosen: argparse.Namespace) -> int:
    from segmodels.claims import Claim, Statement, load_claims, load_statements
    from segmodels.core import paths
    from segmodels.core.files import write_text
    from segmodels.errors import pick
    from segmodels.exchange.log import reproduction_log
    from segmodels.leaderboard import build_row

    known: dict[str, Claim | Statement] = {**load_claims(), **load_statements()}
    entry = pick("claim", chosen.claim, known)
    local = None if chosen.published else paths.evidence()
    row = build_row(entry, paths.published_evidence(), paths.reports(), local)
    text = reproduction_log(row, paths.reports())
    if chosen.out:
        write_text(chosen.out, text)
        print(relative(chosen.out))
    else:
        sys.stdout.write(text)
    return 0


def _add_weights(claim_id: str, files: list[Path]) -> None:
    from segmodels.claims import load_claim
    from segmodels.cli.weights import print_added
    from segmodels.errors import SegmodelsError
    from segmodels.steps.adding import add_weights

    claim = load_claim(claim_id)
    if claim.weights is None:
        raise SegmodelsError(
            f"claim {claim.id!r} names no weights: an entry of params/weights.yaml and the field "
            f"'weights' of the claim would say which they are."
        )
    print_added(claim.weights, add_weights(claim.weights, files))


def _compared(subject: RowSubject, verdict: Verdict) -> str:
    if subject.claim is None:
        return verdict.status
    number = verdict.verified
    verified = "not verified" if number is None else f"verified {number:.2f}"
    return f"{subject.metric} claimed {subject.claim.printed}, {verified}: {verdict.status}"
