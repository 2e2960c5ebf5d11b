"""Which evidence answers a claim or a run, and as what."""

from __future__ import annotations

import dataclasses

import pytest
from synthetic import THEIRS, evidence

from segmodels.errors import SegmodelsError
from segmodels.runs.run import load_run
from segmodels.training.provenance import training_of
from segmodels.verdicts.answering import answer_claim, answer_run, current_evidence, find_released
from segmodels.verdicts.project import load_project
from segmodels.verdicts.resolved import resolve


@pytest.fixture
def asked(board):
    """The project as it lies there now, and one of its claims with what it names."""

    def read(name="toy_strict"):
        project = load_project(board.root / "reports" / "evidence", board.root / "reports")
        (claim,) = [claim for claim in project.claims if claim.id == name]
        return project, resolve(project, claim)

    return read


def trained(made, **fields):
    return evidence(origin={"trained": "again", "training": made}, weights="0" * 64, **fields)


def test_a_project_is_read_once_and_stays(asked):
    project, claim = asked()
    for thing, field in ((project, "rules"), (claim, "protocol")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field, None)


def test_a_claim_has_what_it_names(board, asked):
    board.claim("toy_fps", metric="fps", protocol="", dataset="any")
    _, claim = asked()
    assert claim.weights.name == claim.claim.weights
    assert (claim.dataset.name, claim.protocol.name) == ("toy", "strict")
    assert claim.obstacles == ()
    _, cost = asked("toy_fps")
    assert (cost.dataset, cost.protocol) == (None, None)
    assert [one.kind for one in cost.obstacles] == ["another device"]


@pytest.mark.parametrize("field", ["weights", "dataset", "protocol"])
def test_a_name_of_nothing_is_an_error_that_names_the_claim(asked, field):
    project, claim = asked()
    wrong = claim.claim.model_copy(update={field: "nothing"})
    with pytest.raises(SegmodelsError, match=f"claim 'toy_strict': Unknown {field} 'nothing'"):
        resolve(project, wrong)


def test_nothing_answers_without_evidence_or_protocol(board, asked):
    assert answer_claim(*asked()) is None
    board.keep(evidence())
    project, claim = asked()
    assert answer_claim(project, dataclasses.replace(claim, protocol=None)) is None


@pytest.mark.parametrize(
    ("fields", "level", "by"),
    [({}, "released", ""), ({"counted": THEIRS}, "third_party", THEIRS.by)],
)
def test_released_weights_answer_as_whoever_counted_them(board, asked, fields, level, by):
    board.keep(found := evidence(**fields))
    answered = answer_claim(*asked())
    assert (answered.answer.level, answered.answer.by) == (level, by)
    assert answered.answer.evidence == (answered.found.evidence,)
    assert answered.found.path.stem == found.key


def test_evidence_of_other_images_is_found_only_when_any_will_do(board, asked):
    board.keep(found := evidence(fingerprint="0" * 64))
    project, claim = asked()
    assert answer_claim(project, claim) is None
    assert find_released(project, claim, None).evidence.key == found.key


def test_an_earlier_training_answers_a_run_and_is_not_its_current_evidence(board, asked):
    board.run("again")
    run = load_run("again")
    now = training_of(run, None)
    board.keep(trained({**now, "seed": 7}))
    project, _ = asked()
    protocol = project.protocols[run.protocols[0]]
    answer = answer_run(project, run, protocol).answer
    assert answer.level == "trained"
    assert answer.outdated == "seed was 7, now it is 0"
    assert current_evidence(project, run, protocol) == (None, [])
    board.keep(trained(now), folder="current")
    project, _ = asked()
    assert answer_run(project, run, protocol).answer.outdated == ""
    assert current_evidence(project, run, protocol)[0].path.parent.name == "current"
