"""Rows are made of a verdict that is there already; nothing is judged again."""

from __future__ import annotations

import pytest
from synthetic import evidence

from segmodels.verdicts.answering import answer_claim
from segmodels.verdicts.project import load_project
from segmodels.verdicts.resolved import resolve
from segmodels.verdicts.rows import row_of_claim
from segmodels.verdicts.verdict import Verdict

VERDICT = Verdict("below", "Because.", 12.345678, gap=float("nan"), interval=(1.00001, 2.0))


@pytest.fixture
def project(board):
    board.keep(evidence())
    return load_project(board.root / "reports" / "evidence", board.root / "reports")


def test_a_row_has_the_verdict_as_it_is_given(project):
    asked = resolve(project, project.claims[0])
    row = row_of_claim(project, asked, VERDICT, None)
    verdict = row.verdict
    assert (verdict.status, verdict.reason) == ("below", "Because.")
    assert row.subject.claim == asked.claim
    assert (verdict.verified, verdict.gap, verdict.interval) == (12.3457, None, (1.0, 2.0))
    assert row.evidence is row.evidence_key is row.evidence_file is row.figure is None


def test_evidence_adds_what_was_counted_and_where_it_lies(project):
    asked = resolve(project, project.claims[0])
    found = answer_claim(project, asked).found
    row = row_of_claim(project, asked, VERDICT, found)
    assert row.evidence_key == found.evidence.key
    assert (project.link_from / row.evidence_file).resolve() == found.path.resolve()
    assert row.evidence.images == row.evidence.expected_images == len(found.evidence.images)
    assert row.verdict.verified == 12.3457
