"""The published CamVid claim, recounted on real images and compared with what is committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from segmodels import steps
from segmodels.datasets.opening import open_dataset
from segmodels.evaluation.evaluate import evaluate
from segmodels.evidence import Evidence, find_evidence
from segmodels.metrics.scores import score
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run

REPOSITORY = Path(__file__).resolve().parent.parent
RUN = "camvid-espnet"
SLICE = 24
# Networks add up in another order on another processor, which may tip a pixel between two
# nearly equal classes. One in ten thousand is far below what any change of code would do.
TIPPED = 1e-4


@pytest.fixture(scope="module")
def committed() -> Evidence:
    (evidence,) = find_evidence(REPOSITORY / "reports" / "evidence" / RUN / "espnet-camvid")
    return evidence


def test_committed_evidence_verifies_the_claim(committed: Evidence) -> None:
    assert committed.complete
    assert len(committed.images) == 233
    assert score(committed, load_protocol("espnet-camvid")).miou == pytest.approx(55.64, abs=0.02)
    assert score(committed, load_protocol("camvid-whole")).miou == pytest.approx(57.17, abs=0.02)


def test_a_recount_of_real_images_agrees_with_the_committed_evidence(
    committed: Evidence, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(REPOSITORY / "params", tmp_path / "params")
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    monkeypatch.setenv("SEGMODELS_MIRROR", str(mirror))
    run, protocol = load_run(RUN), load_protocol("espnet-camvid")
    steps.ensure_inputs(run)
    dataset, subject = open_dataset(run.dataset, run.split), steps.subject_of(run)

    found, _ = evaluate(subject, dataset, protocol, limit=SLICE)

    assert subject.weights == committed.identity.weights
    assert subject.fingerprint == committed.identity.fingerprint
    expected = committed.matrices()[:SLICE]
    assert [i.image for i in found.images] == [i.image for i in committed.images[:SLICE]]
    pixels = expected.sum(axis=(1, 2))
    differing = np.abs(found.matrices() - expected).sum(axis=(1, 2)) / 2
    np.testing.assert_array_less(differing / pixels, TIPPED)
