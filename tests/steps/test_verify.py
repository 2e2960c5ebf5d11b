"""From a claim to its verdict in one call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import yaml
from copies import imagenet1k, write_image, write_label

from segmodels import steps
from segmodels.checkpoints import save_checkpoint
from segmodels.claims import load_claim
from segmodels.core import paths
from segmodels.core.files import sha256_of_file
from segmodels.datasets.copies import add_dataset
from segmodels.efficiency import counter
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.models import create_model
from segmodels.runs.run import load_run
from segmodels.steps.options import Options
from segmodels.steps.verify import evaluated_protocol, run_of, verify


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def test_fetches_evaluates_and_judges(root: Path) -> None:
    told: list[tuple[int, int]] = []
    row = verify("toy_open", Options(progress=lambda *numbers: told.append(numbers)))
    assert told[-1] == (3, 3)
    assert (row.subject.id, row.subject.claimed, row.verdict.status) == ("toy_open", 50, "below")
    assert row.verdict.verified is not None
    assert row.verdict.gap == pytest.approx(row.verdict.verified - 50)
    assert row.verdict.level == "released weights"
    assert row.evidence.images == row.evidence.expected_images == 3
    assert row.evidence_file is not None
    assert (paths.reports() / row.evidence_file).is_file()
    # evaluated under the name of the first protocol with this inference, as dvc.yaml does
    assert [p.name for p in (root / "reports/local/evidence/published").iterdir()] == ["plain"]
    assert row.protocol_name == "strict"
    scores = json.loads(paths.metrics("published", "plain").read_text())
    assert row.verdict.verified == scores["strict"]["mIoU"]


def test_a_printed_number_that_holds(root: Path) -> None:
    seen = verify("toy_open").verdict.verified
    assert seen is not None
    path = root / "params/claims/toy.yaml"
    path.write_text(path.read_text().replace("value: 50", f"value: {seen + 0.12:.1f}"))
    told: list[tuple[int, int]] = []
    row = verify("toy_open", Options(progress=lambda *numbers: told.append(numbers)))
    assert row.verdict.status == "verified"
    assert not told  # from the evidence that is there


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("toy_lost", "the address died"),
        ("toy_closed", "the images want a login"),
        ("toy_nobody", "No weights of this number are known"),
    ],
)
def test_a_blocked_claim_says_why(root: Path, claim: str, reason: str) -> None:
    row = verify(claim)
    assert row.verdict.status == "blocked"
    assert reason in row.verdict.reason
    assert (row.verdict.verified, row.verdict.gap, row.evidence_key, row.verdict.level) == (
        None,
        None,
        None,
        None,
    )
    assert not (root / "data").exists()
    assert not (root / "weights").exists()


def test_an_unknown_claim(root: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'toy_open'"):
        verify("toy_opne")


def params(root: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in (root / "params").rglob("*") if p.is_file()}


def test_a_claim_without_a_run_is_run_and_leaves_none_behind(root: Path) -> None:
    before = params(root)
    row = verify("toy_no_run")
    assert (row.verdict.status, row.verdict.level, row.evidence.images) == (
        "below",
        "released weights",
        2,
    )
    assert row.evidence_file == f"local/evidence/toy_no_run/plain/{row.evidence_key}.json"
    assert paths.metrics("toy_no_run", "plain").is_file()
    assert row.figure is not None
    assert (paths.reports() / row.figure).is_file()
    run = run_of(load_claim("toy_no_run"))
    assert (run.weights, run.split, run.protocols) == ("published", "val", ("plain",))
    assert params(root) == before
    told: list[tuple[int, int]] = []
    assert verify("toy_no_run", Options(progress=lambda *numbers: told.append(numbers))) == row
    assert not told  # found by what was counted


def test_a_download_that_fails_leaves_nothing_in_params(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = params(root)
    monkeypatch.setattr("segmodels.assets.retries._BACKOFF", 0.0)
    monkeypatch.delenv("SEGMODELS_MIRROR")
    with pytest.raises(SegmodelsError, match="cannot be downloaded"):
        verify("toy_no_run")
    assert params(root) == before


def test_a_claim_that_cannot_be_run_leaves_no_broken_run(root: Path) -> None:
    path = root / "params/claims/toy.yaml"
    claims = yaml.safe_load(path.read_text())
    claims["claims"][0] |= {"model": "unet"}
    path.write_text(yaml.safe_dump(claims))
    name = claims["claims"][0]["id"]
    (root / "params/runs/published.yaml").unlink()
    with pytest.raises(SegmodelsError, match=f"claim {name!r} cannot be run: .*'model' is 'unet'"):
        run_of(load_claim(name))
    assert not (root / f"params/runs/{name}.yaml").exists()


def test_a_run_of_that_name_is_not_overwritten(root: Path) -> None:
    path = root / "params/runs/toy_no_run.yaml"
    text = (root / "params/runs/published.yaml").read_text()
    path.write_text(text)
    with pytest.raises(SegmodelsError, match=r"toy_no_run\.yaml does not evaluate claim"):
        run_of(load_claim("toy_no_run"))
    assert path.read_text() == text


def test_weights_that_cannot_be_fetched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segmodels.assets.retries._BACKOFF", 0.0)
    monkeypatch.delenv("SEGMODELS_MIRROR")
    with pytest.raises(SegmodelsError, match=r"model\.\w+: cannot be downloaded"):
        verify("toy_open")
    assert not paths.evidence().exists()


def test_the_run_and_protocol_of_a_claim(root: Path) -> None:
    run = run_of(load_claim("toy_open"))
    assert run.name == "published"
    assert evaluated_protocol(run, "strict") == "plain"
    tiny = load_run("tiny")
    assert tiny.distinct_protocols() == ["plain", "views"]


def test_evidence_on_other_images_is_no_answer(root: Path) -> None:
    verify("toy_open")
    path = root / "params/datasets.yaml"
    entries = yaml.safe_load(path.read_text())
    entries["shapes"]["settings"]["seed"] = 1
    path.write_text(yaml.safe_dump(entries))
    steps.prepare("shapes")
    about = json.loads((root / "reports/local/datasets/shapes.json").read_text())["splits"]
    entries["shapes"]["splits"] = {
        name: {"images": split["images"], "fingerprint": split["fingerprint"]}
        for name, split in about.items()
    }
    path.write_text(yaml.safe_dump(entries))
    row = verify("toy_open")
    assert row.evidence.fingerprint == about["test"]["fingerprint"]


def test_a_copy_opens_what_is_gated_for_everybody(root: Path, tmp_path: Path) -> None:
    """Blocked without the images, judged with a copy of them, and by the same row."""
    mirror = tmp_path / "street"
    save_checkpoint(create_model("segformer_nano", 19), mirror)
    files = [
        {"name": path.name, "url": "http://127.0.0.1:9/s", "sha256": [sha256_of_file(path)]}
        for path in sorted(mirror.iterdir())
    ]
    weights = root / "params" / "weights.yaml"
    street = {"model": "segformer_nano", "state": "ok", "source": "made up", "files": files}
    weights.write_text(weights.read_text() + yaml.safe_dump({"street": street}))
    datasets = root / "params" / "datasets.yaml"
    gated = {"title": "C", "state": "gated", "source": "a login", "reason": "wants a login"}
    datasets.write_text(datasets.read_text() + yaml.safe_dump({"cityscapes": gated}))
    claims = root / "params" / "claims" / "toy.yaml"
    claims.write_text(
        claims.read_text()
        + "  - {id: toy_street, model: segformer_nano, dataset: cityscapes, split: val,\n"
        "     metric: mIoU, value: 50, decimals: 1, protocol: plain, weights: street, source: T4}\n"
    )
    row = verify("toy_street")
    assert (row.verdict.status, row.verdict.obstacle) == ("blocked", "gated data")
    for path in mirror.iterdir():  # beside the other weights of the same names
        target = tmp_path / "mirror" / "street" / path.name
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    copy = tmp_path / "copy"
    for split in ("train", "val"):
        name = f"{split}/aachen/aachen_000000_000019"
        write_image(copy / "leftImg8bit" / f"{name}_leftImg8bit.png", (64, 64))
        labels = np.resize(np.array([7, 8, 11], dtype=np.uint8), (64, 64))
        write_label(copy / "gtFine" / f"{name}_gtFine_labelIds.png", labels)
    add_dataset("cityscapes", copy, ["val"])
    row = verify("toy_street")
    assert (row.verdict.status, row.evidence.images, row.verdict.level) == (
        "below",
        1,
        "released weights",
    )
    assert verify("toy_street").evidence_key == row.evidence_key


def test_top_1_of_a_copy_of_imagenet(root: Path, tmp_path: Path, edit_yaml: Any) -> None:
    small = {"widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "heads": [1, 1, 2, 2]}
    mirror = tmp_path / "mirror" / "classifier"
    save_checkpoint(create_model("mit_b0", 1000, **small), mirror)
    files = [
        {
            "name": path.name,
            "url": f"http://127.0.0.1:9/{path.name}",
            "sha256": [sha256_of_file(path)],
        }
        for path in sorted(mirror.iterdir())
    ]
    entries = {
        "weights.yaml": {"mit": {"model": "mit_b0", "state": "ok", "source": "a", "files": files}},
        "protocols.yaml": {
            "top1": {
                **{"version": 1, "title": "the middle", "resize_short": 48, "whole_image": 40},
                **{"resize_library": "pillow", "normalize": "rescaled"},
            }
        },
        "datasets.yaml": {
            "imagenet1k": {
                **{"title": "ImageNet", "state": "gated", "source": "a", "reason": "a login"},
                **{"splits": {"val": {"images": 3}}},
            }
        },
    }
    for name, more in entries.items():
        edit_yaml(root / "params" / name, lambda one, more=more: one.update(more))
    claim = {
        **{"id": "toy_top1", "model": "mit_b0", "dataset": "imagenet1k", "split": "val"},
        **{"metric": "top1", "value": 70.5, "decimals": 1, "protocol": "top1", "weights": "mit"},
        **{"overrides": small, "source": "Table 4"},
    }
    edit_yaml(root / "params/claims/toy.yaml", lambda one: one["claims"].append(claim))
    row = verify("toy_top1")
    assert (row.verdict.status, row.verdict.obstacle) == ("blocked", "gated data")
    add_dataset("imagenet1k", imagenet1k(tmp_path / "copy"))
    row = verify("toy_top1")
    assert (row.verdict.status, row.subject.metric, row.evidence.images) == ("below", "top1", 3)
    assert row.verdict.verified in (0.0, 33.33, 66.67)


SENTENCE = """
statements:
  - id: toy_smaller
    text: SegFormer nano has fewer parameters than U-Net, and also more
    source: Table 4
    parts:
      - {kind: cost, about: parameters, subject: segformer_nano, other: unet, relation: lower,
         convention: params-used, image_size: [64, 64]}
      - {kind: cost, about: parameters, subject: segformer_nano, other: unet, relation: higher,
         convention: params-used, image_size: [64, 64]}
"""


def test_what_is_counted_is_not_counted_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = root / "params"
    (params / "efficiency.yaml").write_text(
        (Path(__file__).parents[2] / "params/efficiency.yaml").read_text()
    )
    with (params / "claims/toy.yaml").open("a") as claims:
        claims.write(SENTENCE)
    counted: list[int] = []
    real = counter.count
    monkeypatch.setattr(counter, "count", lambda wanted: counted.append(1) or real(wanted))
    assert verify("toy_smaller").verdict.status == "partial"
    assert verify("toy_smaller").verdict.status == "partial"
    assert len(counted) == 1
    verify("toy_smaller", Options(force=True))
    assert len(counted) == 2
