"""Everything on the table while judging, and the row that comes of each claim or run."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from segmodels.assets.entries import (
    DatasetEntry,
    WeightsEntry,
    load_dataset_entries,
    load_weights_entries,
)
from segmodels.claims import COUNTED, Claim, Statement, load_claims, load_statements
from segmodels.efficiency.claims import Costs
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evidence import Evidence, read_evidence
from segmodels.metrics.intervals import Interval
from segmodels.metrics.precision_effect import effect_sentence, effect_under
from segmodels.metrics.robustness import summarise
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocols
from segmodels.runs.run import Run, load_run, run_names
from segmodels.training.provenance import (
    Training,
    first_change,
    training_fingerprint,
    training_in,
    training_of,
)
from segmodels.verdicts.compare import blocked, judge, judge_corrupted, judge_cost, measure
from segmodels.verdicts.instructions import to_do
from segmodels.verdicts.matching import (
    answers,
    as_prepared,
    best,
    has_released_weights,
    other_network,
)
from segmodels.verdicts.obstacles import Obstacle, obstacles
from segmodels.verdicts.retrained import on_same_images, wrong_retrains
from segmodels.verdicts.row import Row, short_title
from segmodels.verdicts.rules import Level, load_rules
from segmodels.verdicts.shelf import Found, Shelf, conditions
from segmodels.verdicts.statements import Finding, judge_statement
from segmodels.verdicts.verdict import Answer, Verdict

_OTHER_IMAGES = (
    "Evidence {} was counted on other images than params/datasets.yaml lists, so it says nothing."
)
_UNPINNED = (
    "Nothing pins these weights: no sha256 of them is registered or was noted when they came, so "
    "what was counted may not be what is given out."
)


class Judge:
    """Claims, runs, entries and evidence of a project."""

    def __init__(self, folder: Path, link_from: Path) -> None:
        self.link_from, self.rules = link_from, load_rules()
        self.claims = list(load_claims().values())
        self.statements = list(load_statements().values())
        self.runs = [load_run(name) for name in run_names()]
        if wrong := list(wrong_retrains(self.runs, load_claims())):
            raise SegmodelsError("\n".join(wrong))
        descriptions = folder.parent / "datasets"
        self.weights, entries = load_weights_entries(), load_dataset_entries()
        self.datasets = {name: as_prepared(one, descriptions) for name, one in entries.items()}
        self.protocols, self.shelf, self.costs = load_protocols(), Shelf(folder), Costs()
        self.trainings = dict(self._trainings(descriptions))
        self.by_model: dict[tuple[str, str], list[Claim]] = {}
        for claim in self.claims:
            self.by_model.setdefault((claim.model, claim.dataset), []).append(claim)

    def _trainings(self, descriptions: Path) -> Iterator[tuple[str, Training]]:
        """What would train the weights of each run now."""
        for run in self.runs:
            fingerprint = training_fingerprint(self.datasets.get(run.dataset), descriptions)
            if made := training_of(run, fingerprint):
                yield run.name, made

    # Claims.

    def claimed(self, claim: Claim) -> Row:
        """The row of a claim; of a blocked one with what would help."""
        weights, dataset = self._entries(claim)
        hindered = obstacles(claim, weights, dataset)
        row = self._judged(claim, weights, dataset, hindered)
        if row.verdict != "blocked":
            return row
        todo = to_do(hindered, weights, dataset, self.rules.obstacles)
        return dataclasses.replace(row, todo=tuple(todo))

    def _judged(
        self,
        claim: Claim,
        weights: WeightsEntry | None,
        dataset: DatasetEntry | None,
        hindered: list[Obstacle],
    ) -> Row:
        if claim.metric in (*COUNTED, "fps"):
            return self._cost_row(claim, hindered)
        protocol = self._protocol(claim)
        if claim.metric == "mIoU-c":
            verdict = self._corrupted(claim, protocol, weights, hindered)
            return self._claim_row(claim, verdict, protocol, None, weights)
        found = self._answer(claim, protocol, weights, dataset)
        answer = found and found[0]
        if other := other_network(claim, weights, answer.evidence if answer else ()):
            verdict = blocked([other, *hindered], self.rules)
            return self._claim_row(claim, verdict, protocol, None, weights)
        verdict = judge(claim, protocol, answer, hindered, self.rules)
        if answer and protocol:
            verdict = _with_effect(verdict, answer.evidence[0], protocol)
        verdict = _capped(verdict, found and found[1])
        if answer is None and (stranger := self._stranger(claim, protocol, weights)):
            verdict = dataclasses.replace(verdict, reason=_OTHER_IMAGES.format(stranger))
        return self._claim_row(claim, verdict, protocol, found and found[1], weights)

    def _cost_row(self, claim: Claim, hindered: list[Obstacle]) -> Row:
        convention = self.costs.protocol(claim)
        verdict = judge_cost(claim, self.costs.counted(claim), hindered, self.rules)
        return dataclasses.replace(
            self._told(claim, verdict),
            protocol_title=convention.title if convention else "",
            protocol_source=convention.source if convention else "",
            protocol_version=convention.version if convention else 0,
            evidence_file=self.costs.file(self.link_from) if verdict.level == "counted" else None,
            rerun="segmodels efficiency",
        )

    def _claim_row(
        self,
        claim: Claim,
        verdict: Verdict,
        protocol: Protocol | None,
        found: Found | None,
        entry: WeightsEntry | None,
    ) -> Row:
        row = self._under(self._told(claim, verdict), protocol)
        runs = [r.name for r in self.runs if answers(r, claim)]
        known = entry.identities if entry else ()
        row = dataclasses.replace(
            row,
            run=runs[0] if runs else None,
            weights=known[0] if known else None,
            pinned=_pinned(entry, found),
            weights_origin={"released": claim.weights} if claim.weights else {},
        )
        if not found or not protocol:
            return row
        row = self._with_evidence(row, protocol, found)
        verified = f"{claim.id}/{protocol.name}"  # by `segmodels verify`, without a run of its own
        if not runs and found.path.parent.as_posix().endswith(f"/{verified}"):
            row = dataclasses.replace(row, figure=f"figures/{claim.id}-{protocol.name}.png")
        return row

    def _told(self, claim: Claim, verdict: Verdict) -> Row:
        """What stands in the claim and its verdict."""
        return dataclasses.replace(
            _verdict_row(verdict),
            claim=claim.id,
            claimed=claim.value,
            decimals=claim.decimals,
            model=claim.model,
            dataset=claim.dataset,
            split=claim.split,
            protocol=claim.protocol,
            paper=claim.paper,
            title=claim.title,
            arxiv=claim.arxiv,
            source=claim.source,
            url=claim.url,
            notes=claim.notes,
            metric=claim.metric,
            unit=claim.unit,
            claimant=claim.who,
            seen=claim.seen,
            checkpoint=claim.checkpoint,
            stated=claim.stated,
            corruption=claim.corruption,
            conflicts=claim.conflicts,
            disputed=tuple(one.model_dump() for one in claim.disputed),
            rerun=f"segmodels verify {claim.id}",
        )

    def _answer(
        self,
        claim: Claim,
        protocol: Protocol | None,
        weights: WeightsEntry | None,
        dataset: DatasetEntry | None,
    ) -> tuple[Answer, Found] | None:
        """Evidence of the released weights, or of weights trained again for this claim."""
        if protocol is None:
            return None
        question = claim.dataset, claim.split, protocol.inference_fp32
        released = self.shelf.released(*question, weights) if weights else []
        if found := best(released, dataset, claim.split, protocol):
            level: Level = "third_party" if found.by else "released"
            return Answer((found.evidence,), level, found.by), found
        runs = [run for run in self.runs if claim.id in run.retrains]
        each = [self._trained(run, dataset, protocol) for run in runs]
        seeds = [found for found, outdated in each if found and not outdated]
        before = [(found, outdated) for found, outdated in each if found and outdated]
        if not seeds and before:
            found, outdated = before[0]
            return Answer((found.evidence,), "retrained", outdated=outdated), found
        if not seeds:
            return None
        common = on_same_images(seeds)
        left_out = len(seeds) - len(common)
        pairs = zip(runs, each, strict=True)
        absent = tuple(_absent(run, *of) for run, of in pairs if not of[0] or of[1])
        counted = tuple(conditions(common))
        return Answer(counted, "retrained", left_out=left_out, absent=absent), common[0]

    def _trained(
        self, run: Run, dataset: DatasetEntry | None, protocol: Protocol
    ) -> tuple[Found | None, str]:
        """Evidence of the weights a run asks for, else of what it trained before and how that
        differs, as words.
        """
        question = run.dataset, run.split, protocol.inference_fp32
        asked = self.trainings[run.name]
        if found := best(self.shelf.trained(*question, asked), dataset, run.split, protocol):
            return found, ""
        before = self.shelf.trained_before(*question, run.name)
        found = best(before, dataset, run.split, protocol)
        return found, first_change(training_in(found.evidence), asked) if found else ""

    def _stranger(
        self, claim: Claim, protocol: Protocol | None, weights: WeightsEntry | None
    ) -> str | None:
        """Key of evidence of the right weights on images that are not the registered ones."""
        if protocol is None or weights is None:
            return None
        right = self.shelf.released(claim.dataset, claim.split, protocol.inference_fp32, weights)
        found = best(right, None, claim.split, protocol)
        return found.evidence.key if found else None

    def _corrupted(
        self,
        claim: Claim,
        protocol: Protocol | None,
        weights: WeightsEntry | None,
        hindered: list[Obstacle],
    ) -> Verdict:
        """Mean over severities of one corruption of the clean dataset."""
        if protocol is None or weights is None:
            return judge(claim, protocol, None, hindered, self.rules)
        clean = claim.dataset.removesuffix("_c")
        right = self.shelf.released(clean, claim.split, protocol.inference_fp32, weights)
        found = best(right, self.datasets.get(clean), claim.split, protocol)
        if other := other_network(claim, weights, [found.evidence] if found else ()):
            return blocked([other, *hindered], self.rules)
        copies = self._copies(found.evidence, claim.corruption) if found else []
        verdict = judge_corrupted(claim, protocol, copies, hindered, self.rules)
        return _capped(verdict, found if copies else None)

    def _copies(self, clean: Evidence, corruption: str) -> list[Evidence]:
        """Evidence under one corruption, read again: the shelf keeps no single images of it."""
        return [
            read_evidence(found.path)
            for found in self.shelf.disturbed(clean)
            if (found.evidence.identity.condition or {}).get("corruption") == corruption
        ]

    def _entries(self, claim: Claim) -> tuple[WeightsEntry | None, DatasetEntry | None]:
        if claim.weights is not None and claim.weights not in self.weights:
            error = UnknownNameError("weights", claim.weights, self.weights)
            raise SegmodelsError(f"claim {claim.id!r}: {error}")
        if claim.dataset not in self.datasets and claim.dataset != "any":
            error = UnknownNameError("dataset", claim.dataset, self.datasets)
            raise SegmodelsError(f"claim {claim.id!r}: {error}")
        return self.weights.get(claim.weights or ""), self.datasets.get(claim.dataset)

    def _protocol(self, claim: Claim) -> Protocol | None:
        if claim.protocol and claim.protocol not in self.protocols:
            error = UnknownNameError("protocol", claim.protocol, self.protocols)
            raise SegmodelsError(f"claim {claim.id!r}: {error}")
        return self.protocols.get(claim.protocol)

    # Statements.

    def stated(self, statement: Statement) -> Row:
        """The row of a statement."""
        verdict, findings = judge_statement(
            statement, self.costs, self._evidence_of, self.protocols, self.rules
        )
        return dataclasses.replace(
            _verdict_row(verdict),
            claim=statement.id,
            kind="relative",
            metric="statement",
            unit="",
            model=statement.text,
            paper=statement.paper,
            title=statement.title,
            arxiv=statement.arxiv,
            url=statement.url,
            source=statement.source,
            seen=statement.seen,
            notes=statement.notes,
            claimant="authors",
            rerun="segmodels leaderboard",
            findings=tuple(map(_part, findings)),
        )

    def _evidence_of(self, run: Run, protocol: Protocol) -> tuple[Found | None, list[Found]]:
        """Clean evidence of a run as it is now under a protocol, and its disturbed copies."""
        found, outdated = self._of_run(run, protocol)
        if found is None or outdated:
            return None, []
        return found, self.shelf.disturbed(found.evidence)

    def _of_run(self, run: Run, protocol: Protocol) -> tuple[Found | None, str]:
        """Evidence of a run, and what has changed since if it is of earlier weights."""
        dataset, entry = self.datasets[run.dataset], self.weights.get(run.weights or "")
        if entry is None:
            return self._trained(run, dataset, protocol)
        question = run.dataset, run.split, protocol.inference_fp32
        return best(self.shelf.released(*question, entry), dataset, run.split, protocol), ""

    # Measurements of our own.

    def measured(self, run: Run) -> Iterable[Row]:
        """The rows of a run's protocols that have evidence and are no claim's."""
        same = self.by_model.get((run.model, run.dataset), [])
        for protocol in (self.protocols[name] for name in run.protocols):
            found, outdated = self._of_run(run, protocol)
            if found is None:
                continue
            if any(c.protocol == protocol.name and answers(run, c) for c in same):
                continue
            command = f"segmodels evaluate {run.name}"
            own: Level = "released" if run.weights else "retrained"
            level: Level = "third_party" if found.by else own
            answer = Answer((found.evidence,), level, found.by, outdated=outdated)
            reason = _why_measured(run, protocol, same)
            verdict = measure(protocol, answer, reason, command, self.rules)
            verdict = _capped(_with_effect(verdict, found.evidence, protocol), found)
            row = dataclasses.replace(
                _verdict_row(verdict),
                kind="measurement",
                model=found.evidence.identity.model.get("name", run.model),
                dataset=run.dataset,
                split=run.split,
                run=run.name,
                rerun=command,
                pinned=_pinned(self.weights.get(run.weights or ""), found),
            )
            yield self._with_evidence(self._under(row, protocol), protocol, found)

    def _under(self, row: Row, protocol: Protocol | None) -> Row:
        if protocol is None:
            return row
        return dataclasses.replace(
            row,
            protocol=protocol.name,
            protocol_title=protocol.title,
            protocol_source=protocol.source,
            protocol_version=protocol.version,
            protocol_fields={**protocol.inference, **protocol.scoring},
        )

    def _with_evidence(self, row: Row, protocol: Protocol, found: Found) -> Row:
        evidence = found.evidence
        identity, seen = evidence.identity, score(evidence, protocol)
        disturbed = conditions(self.shelf.disturbed(evidence))
        stressed = disturbed and not math.isnan(seen.miou)
        return dataclasses.replace(
            row,
            evidence=evidence.key,
            evidence_file=self._link(found.path),
            images=len(evidence.images),
            expected_images=evidence.expected_images,
            weights=identity.weights,
            # What others say of where weights come from is their word.
            weights_origin=row.weights_origin if found.by else evidence.weights_origin,
            fingerprint=identity.fingerprint,
            evaluator=identity.evaluator,
            counted_by=found.by,
            counted_at=evidence.counted.url,
            software=dict(sorted(evidence.software.items())),
            pixel_accuracy=_rounded(seen.pixel_accuracy),
            mean_accuracy=_rounded(seen.mean_accuracy),
            per_class={name: _rounded(iou) for name, iou in seen.per_class.items()},
            robustness=summarise(evidence, disturbed, protocol) if stressed else None,
            figure=self._figure(row.run, found),
        )

    def _link(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.link_from)).as_posix()

    def _figure(self, run: str | None, found: Found) -> str | None:
        """Where the evaluation of a run puts its picture, whether or not it is here."""
        known = next((r for r in self.runs if r.name == run and not found.by), None)
        identity = found.evidence.identity
        for name in known.protocols if known else ():
            one = self.protocols[name]
            if (one.inference_fp32, one.precision) == (identity.inference, identity.precision):
                return f"figures/{run}-{name}.png"
        return None


def _absent(run: Run, found: Found | None, outdated: str) -> str:
    """Why a run that retrains a claim has no evidence that counts."""
    return f"{run.name}: {outdated}" if found else f"{run.name}: no evidence"


def _with_effect(verdict: Verdict, evidence: Evidence, protocol: Protocol) -> Verdict:
    """Say what less than full precision did to the number, if it was counted so."""
    told = effect_sentence(evidence, effect_under(evidence, protocol))
    return dataclasses.replace(verdict, reason=f"{told} {verdict.reason}") if told else verdict


def _pinned(entry: WeightsEntry | None, found: Found | None) -> str:
    """What fixes the bytes of the released weights behind a row; "" where there are none."""
    if entry is None or not (entry.files or found):
        return ""
    theirs = found is None or found.unpinned or has_released_weights(found.evidence, entry)
    return entry.pinned if theirs else ""


def _capped(verdict: Verdict, found: Found | None) -> Verdict:
    """At most `partial` where the name of weights is all that ties evidence to them."""
    if found is None or not found.unpinned:
        return verdict
    status = verdict.status if verdict.status in ("stale", "unverified") else "partial"
    return dataclasses.replace(verdict, status=status, reason=f"{_UNPINNED} {verdict.reason}")


def _why_measured(run: Run, protocol: Protocol, same: list[Claim]) -> str:
    same = [claim for claim in same if claim.metric == "mIoU"]
    if not same:
        return "No published number is known for this model on this dataset."
    here = [c for c in same if (c.protocol, c.split) == (protocol.name, run.split)]
    claim = (here or same)[0]
    printed = f"{short_title(claim.title, claim.paper)} claims {claim.printed}"
    if here:
        return f"{printed} under this protocol, but with other weights."
    under = claim.protocol or "a protocol it does not state"
    return f"No published number uses this protocol; {printed} under {under}."


def _verdict_row(verdict: Verdict) -> Row:
    """A row that says what a verdict says, and nothing about what was judged."""
    return Row(
        claim=None,
        claimed=None,
        verified=_rounded(verdict.verified),
        gap=_rounded(verdict.gap),
        interval=_ends(verdict.interval),
        interval_over=verdict.over,
        seed_interval=_ends(verdict.seed_interval),
        verdict=verdict.status,
        level=verdict.level,
        reason=verdict.reason,
        tolerance=_rounded(verdict.tolerance),
        model="",
        dataset="",
        split="",
        protocol="",
        evidence=None,
        obstacle=verdict.obstacle,
        seeds=tuple(round(value, 4) for value in verdict.seeds),
    )


def _part(finding: Finding) -> dict[str, str | bool]:
    names = ("about", "outcome", "text", "counts")
    return {name: getattr(finding, name) for name in names}


def _ends(interval: Interval | None) -> Interval | None:
    return interval and (round(interval[0], 4), round(interval[1], 4))


def _rounded(value: float | None) -> float | None:
    """Four decimals; None for NaN, which JSON cannot hold."""
    return None if value is None or math.isnan(value) else round(value, 4)


def build_rows(evidence_folder: Path, link_from: Path | None = None) -> list[Row]:
    """Judge all claims, statements and runs of the project from evidence alone.

    Args:
        evidence_folder: searched with all folders below it; may be missing.
        link_from: folder that `evidence_file` is relative to (default: the parent folder).

    Returns:
        claims first (featured ones, then by paper and metric, highest value first), then
        statements, then other measurements.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    judge = Judge(evidence_folder, link_from or evidence_folder.parent)
    claims = sorted(judge.claims, key=_place)
    return [
        *map(judge.claimed, claims),
        *map(judge.stated, judge.statements),
        *_distinct(row for run in judge.runs for row in judge.measured(run)),
    ]


def build_row(
    entry: Claim | Statement, evidence_folder: Path, link_from: Path | None = None
) -> Row:
    """The row that `build_rows` has for a claim or statement; no other one is judged.

    Args:
        entry: of the project.
        evidence_folder, link_from: as for `build_rows`.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    judge = Judge(evidence_folder, link_from or evidence_folder.parent)
    return judge.claimed(entry) if isinstance(entry, Claim) else judge.stated(entry)


def _place(claim: Claim) -> tuple[bool, str, str, float]:
    """Featured claims keep the order of their file."""
    if claim.featured:
        return False, claim.paper, "", 0.0
    return True, claim.paper, claim.metric, -claim.value


def _distinct(found: Iterable[Row]) -> list[Row]:
    measured = list({(row.evidence, row.protocol): row for row in found}.values())
    return sorted(measured, key=lambda r: (r.dataset, r.model, r.run or "", r.protocol))
