"""One answer for each image: the pixels a classifier sees, its labels, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from copies import imagenet1k
from PIL import Image
from reference_weights import photograph

from segmodels.core.arrays import VOID, VOID_OF_IMAGE, Pixels
from segmodels.datasets.imagenet1k import SYNSETS, ImageNet1k
from segmodels.datasets.reading.base import Sample
from segmodels.datasets.survey import survey
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import count_pairs
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.figure import row_of
from segmodels.evaluation.predict import predict_many
from segmodels.evaluation.reference import predict
from segmodels.evaluation.resize import middle
from segmodels.evaluation.subject import Subject
from segmodels.metrics.scores import score
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol

TOP1 = Protocol(
    name="top1",
    version=1,
    title="the middle of the image",
    resize_short=48,
    resize_library="pillow",
    normalize="rescaled",
    whole_image=40,
)
SMALL = {"widths": (8, 8, 16, 16), "depths": (1, 1, 1, 1), "heads": (1, 1, 2, 2)}


@pytest.fixture(scope="module")
def model() -> SegModel:
    torch.manual_seed(0)
    network = create_model("mit_b0", num_classes=1000, **SMALL).eval()
    network.preprocessing = IMAGENET
    return network


@pytest.mark.parametrize("size", [(61, 95), (97, 60), (48, 71), (50, 50), (300, 49)])
def test_the_pixels_are_those_of_torchvisions_transforms(size: tuple[int, int]) -> None:
    from torchvision import transforms

    image = photograph(*size)
    bicubic = transforms.InterpolationMode.BICUBIC
    theirs = transforms.Compose([transforms.Resize(48, bicubic), transforms.CenterCrop(40)])
    np.testing.assert_array_equal(middle(image, TOP1), np.asarray(theirs(Image.fromarray(image))))


def test_the_label_is_the_answer_for_the_image(model: SegModel) -> None:
    images = [photograph(61, 95), photograph(80, 60)]
    found = [one.checked() for one in predict_many(model, images, TOP1)]
    seen = [IMAGENET.apply(middle(one, TOP1), "rescaled").transpose(2, 0, 1) for one in images]
    with torch.inference_mode():
        answers = model.classify(torch.from_numpy(np.stack(seen)))  # type: ignore[operator]
    assert [int(one[0, 0]) for one in found] == answers.argmax(1).tolist()
    assert {(str(one.dtype), one.shape) for one in found} == {("uint16", (1, 1))}


def test_the_shipped_protocol_gives_an_answer(model: SegModel) -> None:
    protocol = load_protocol("imagenet-224")
    (found,) = predict_many(model, [photograph(230, 400)], protocol)
    assert middle(photograph(230, 400), protocol).shape == (224, 224, 3)
    assert 0 <= int(found.checked()[0, 0]) < 1000


def test_top_1_is_the_share_of_right_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: SegModel
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = ImageNet1k(imagenet1k(tmp_path / "images"), "val")
    (prediction,) = predict_many(model, [dataset.read(1).image], TOP1)
    answer = int(prediction.checked()[0, 0])
    # The class of the second image becomes what the network says of it.
    folder = dataset.files[1].image.parent
    folder.rename(folder.with_name(SYNSETS[answer]))  # type: ignore[union-attr]
    dataset = ImageNet1k(dataset.root, "val")
    subject = Subject(model, "0" * 64, {}, fingerprint=survey(dataset).fingerprint)
    maps = tmp_path / "maps"
    evidence, _ = evaluate(subject, dataset, TOP1, maps=maps)
    counted = {one.image: (one.cells, one.counts) for one in evidence.images}
    assert counted["ILSVRC2012_val_00000002"] == ((1001 * answer,), (1,))
    assert all(counts == (1,) for _, counts in counted.values())
    right = sum(cells[0] % 1001 == 0 for cells, _ in counted.values())
    assert score(evidence, TOP1).pixel_accuracy == pytest.approx(100 * right / 3)
    kept = sorted(maps.glob("*.png"))
    assert len(kept) == 3
    with Image.open(kept[1]) as opened:
        assert np.asarray(opened).tolist() == [[answer]]


def test_class_255_is_a_class_where_labels_have_16_bits() -> None:
    label, void = (np.full((1, 1), value, np.uint16) for value in (255, VOID_OF_IMAGE))
    counts = count_pairs(label, label, 1000, 1000, VOID_OF_IMAGE)
    assert counts[255, 255] == counts.sum() == 1
    assert count_pairs(void, label, 1000, 1000, VOID_OF_IMAGE)[1000, 255] == 1
    assert count_pairs(label, label, 1000, 1000, VOID)[1000, 255] == 1


@pytest.mark.parametrize(("answer", "colour"), [(7, "right"), (8, "wrong")])
def test_a_figure_shows_whether_the_answer_is_right(answer: int, colour: str) -> None:
    def label(value: int) -> Pixels:
        return np.full((1, 1), value, np.uint16)  # type: ignore[return-value]

    sample = Sample("a", photograph(20, 30), label(7))
    row = row_of(sample, label(answer), ImageNet1k.palette)
    assert row.shape[0] == 20
    palette, verdict = ImageNet1k.palette, row[10, -15].tolist()
    assert row[10, row.shape[1] // 4 + 10].tolist() == list(palette[7])
    assert row[10, row.shape[1] // 2 + 10].tolist() == list(palette[answer])
    assert (verdict[0] == verdict[1]) == (colour == "right")  # grey, or red


def test_what_does_not_go_together_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: SegModel
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = ImageNet1k(imagenet1k(tmp_path / "images"), "val")
    subject = Subject(model, "0" * 64, {}, fingerprint="")
    whole = Protocol(name="whole", version=1, title="whole")
    with pytest.raises(
        SegmodelsError, match=r"imagenet1k has labels of images, .*'whole' compares"
    ):
        evaluate(subject, dataset, whole)
    with pytest.raises(SegmodelsError, match="predict labels its pixels: ask the network's `class"):
        predict(model, photograph(60, 60), TOP1)
    pixels = create_model("segformer_nano", num_classes=3).eval()
    pixels.preprocessing = IMAGENET
    with pytest.raises(SegmodelsError, match="wants one answer for an image, and SegFormer labels"):
        predict_many(pixels, [photograph(60, 60)], TOP1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resize_short": 30}, "give `resize_short`, at least as much"),
        ({"resize_library": "opencv"}, "`resize_library: pillow`"),
        ({"flip": True}, "leave out `flip`"),
        ({"precision": "bf16"}, "leave out `precision`"),
    ],
)
def test_fields_that_do_not_fit_are_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(SegmodelsError, match=message):
        TOP1.replace(**change)
