"""Windows of several images in one forward pass: full passes of one size, and the same labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from segmodels import cli, steps
from segmodels.core.arrays import Pixels
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation import stream
from segmodels.evaluation.device import to_device
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.predict import predict_fast, predict_many
from segmodels.evaluation.reference import predict_views
from segmodels.evaluation.views import image_views
from segmodels.evaluation.windows import Batching, low_resolution, low_resolutions
from segmodels.evidence import Evidence
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import HALF
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run

CPU = torch.device("cpu")
VIEWS = Protocol(name="views", version=1, title="views", scales=(0.75, 1.0), flip=True)
SLIDE = Protocol(
    name="slide", version=1, title="slide", window=64, stride=40, enlarge=True, flip=True
)
CLIPPED = Protocol(name="clipped", version=1, title="clipped", window=(64, 80), stride=(48, 64))
SQUASHED = Protocol(name="squashed", version=1, title="squashed", resize_fixed=(64, 96), flip=True)
PROTOCOLS = [VIEWS, SLIDE, CLIPPED, SQUASHED]
#: Real architectures, small, with the weights their seed gives.
NETWORKS = [
    "segformer_nano",
    "segmenter_vit_nano_patch8_mask",
    "depict_sa_vit_nano_patch8",
    "unet",
    "espnet_p2_q8",
]
#: Where the best two scores are nearer than this, either label is right.
TIE = 2e-6


def network(name: str) -> SegModel:
    torch.manual_seed(NETWORKS.index(name))
    model = create_model(name, 6).eval()
    model.preprocessing = model.preprocessing or HALF
    return model


def photos(sizes: list[tuple[int, int]]) -> list[Pixels]:
    """Smooth colours and some noise, so that networks have something to tell apart."""
    draw = np.random.default_rng(len(sizes))
    found = []
    for height, width in sizes:
        waves = np.sin(np.mgrid[:height, :width].sum(0)[..., None] / draw.uniform(5, 30, 3))
        found.append((100 + 80 * waves + draw.uniform(0, 40, (height, width, 3))).astype(np.uint8))
    return found


IMAGES = photos([(72, 96), (72, 96), (50, 110), (100, 64), (72, 96)])


def margins(model: SegModel, image: Pixels, protocol: Protocol) -> Tensor:
    views = image_views(model, image, protocol)
    scores = predict_views(model, views, (image.shape[0], image.shape[1]), protocol)
    best, second = scores.topk(2, dim=0).values
    return best - second


def assert_equal_but_for_ties(
    model: SegModel, image: Pixels, protocol: Protocol, found: Tensor
) -> None:
    differs = found != torch.from_numpy(predict_fast(model, image, protocol))
    if differs.any():
        assert margins(model, image, protocol)[differs].max() < TIE


# --- labels ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_decide_no_label(name: str) -> None:
    model = network(name)

    @settings(max_examples=8)
    @given(
        protocol=st.sampled_from(PROTOCOLS),
        order=st.lists(st.integers(0, len(IMAGES) - 1), min_size=1, max_size=4),
        windows=st.integers(1, 9),
        whole=st.integers(1, 5),
    )
    def check(protocol: Protocol, order: list[int], windows: int, whole: int) -> None:
        images = [IMAGES[i] for i in order]
        found = predict_many(model, images, protocol, Batching(windows, whole))
        for image, prediction in zip(images, found, strict=True):
            labels = prediction.labels
            assert labels.shape == image.shape[:2]
            assert_equal_but_for_ties(model, image, protocol, labels)

    check()


@pytest.mark.parametrize("name", NETWORKS)
def test_no_label_of_these_images_differs(name: str) -> None:
    model = network(name)
    for protocol in PROTOCOLS:
        expected = [predict_fast(model, image, protocol) for image in IMAGES]
        assert len(np.unique(np.concatenate([labels.ravel() for labels in expected]))) > 1
        for windows, whole in ((2, 2), (7, 3), (32, 1)):
            found = predict_many(model, IMAGES, protocol, Batching(windows, whole))
            for one, other in zip(expected, found, strict=True):
                assert np.count_nonzero(one != other.checked()) == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_company_in_a_pass_changes_no_bit(name: str) -> None:
    """One size of pass, other neighbours, another place in it: the very same logits."""
    model, batching = network(name), Batching(windows=4, whole=2)
    for protocol in (VIEWS, SLIDE):
        alone = [logits_of(model, [image], protocol, batching)[0] for image in IMAGES]
        for order in ([0, 1, 2, 3, 4], [4, 2, 0], [3, 3, 1, 0]):
            together = logits_of(model, [IMAGES[i] for i in order], protocol, batching)
            for index, found in zip(order, together, strict=True):
                assert all(map(torch.equal, alone[index], found))


def logits_of(
    model: SegModel, images: list[Pixels], protocol: Protocol, batching: Batching
) -> list[list[Tensor]]:
    views = (image_views(model, image, protocol) for image in images)
    sizes = [(image.shape[0], image.shape[1]) for image in images]
    found = low_resolutions(model, views, sizes, protocol, batching)
    return [[view.logits for view in of_image] for of_image in found]


# --- passes ----------------------------------------------------------------------------


def passes(
    monkeypatch: pytest.MonkeyPatch, protocol: Protocol, batching: Batching
) -> Counter[tuple[int, ...]]:
    model, seen = network("unet"), []
    real = model.forward_lowres
    monkeypatch.setattr(
        model, "forward_lowres", lambda images: (seen.append(tuple(images.shape)), real(images))[1]
    )
    views = (image_views(model, image, protocol) for image in IMAGES)
    low_resolutions(model, views, [(9, 9)] * len(IMAGES), protocol, batching)
    return Counter(seen)


def test_passes_are_full_and_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    batching = Batching(windows=5, whole=2)
    # Every image is enlarged or slid over: 64x64 throughout, 2 to 4 windows each way.
    (shape,) = passes(monkeypatch, SLIDE, batching)
    assert shape == (5, 3, 64, 64)
    # Three images of 72x96, two of sizes of their own: the latter are filled up.
    plain = Protocol(name="plain", version=1, title="plain")
    assert passes(monkeypatch, plain, batching) == {
        (2, 3, 72, 96): 2,
        (2, 3, 50, 110): 1,
        (2, 3, 100, 64): 1,
    }
    assert passes(monkeypatch, SQUASHED, batching) == {(5, 3, 64, 96): 2}  # ten views
    sizes = {shape[0] for shape in passes(monkeypatch, CLIPPED, batching) if shape[-2:] != (64, 80)}
    assert sizes == {2}  # windows clipped by their image
    assert set(passes(monkeypatch, plain, Batching())) == {
        (1, 3, 72, 96),
        (1, 3, 50, 110),
        (1, 3, 100, 64),
    }


def test_what_is_usual() -> None:
    gpu = torch.device("cuda:1")
    assert Batching.usual(CPU, SLIDE) == Batching(1, 1, 1)
    assert Batching.usual(gpu, Protocol(name="plain", version=1, title="plain")) == Batching(
        windows=32, whole=1, images=64
    )
    several = Protocol(name="several", version=1, title="several", scales=(1.0, 2.0), flip=True)
    assert Batching.usual(gpu, several) == Batching(windows=32, whole=2, images=16)
    many = several.replace(scales=tuple(range(1, 13)))
    assert Batching.usual(gpu, many).images == 4


def test_large_windows_fill_a_pass_sooner() -> None:
    batching = Batching(windows=32, whole=1)
    for side, expected in ((256, 32), (512, 32), (640, 20), (1024, 8), (4096, 1)):
        slide = Protocol(name="slide", version=1, title="slide", window=side, stride=side)
        assert batching.of_shape((side, side), slide) == expected
        assert batching.of_shape((side, side - 1), slide) == 1  # clipped by its image
        fixed = Protocol(name="fixed", version=1, title="fixed", resize_fixed=side)
        assert batching.of_shape((side, side), fixed) == expected
        assert batching.of_shape((side, side), VIEWS) == 1


@pytest.mark.parametrize("field", ["windows", "whole", "images"])
def test_nothing_at_once_is_refused(field: str) -> None:
    with pytest.raises(SegmodelsError, match=f"'{field}' must be at least 1, not 0"):
        Batching(**{field: 0})


def test_arrays_reach_their_device() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = to_device(values.T, CPU)  # strides do not matter
    assert found.is_contiguous()
    assert np.array_equal(found.numpy(), values.T)


def test_one_image_is_a_list_of_one() -> None:
    model, view = network("unet"), torch.randn(1, 3, 61, 83)
    (one,) = low_resolution(model, [(view, None)], (61, 83), VIEWS)
    ((many,),) = low_resolutions(model, [[(view, None)]], [(61, 83)], VIEWS, Batching())
    assert torch.equal(one.logits, many.logits)
    assert low_resolutions(model, [], [], VIEWS, Batching()) == []


# --- evaluations -----------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    return root


def on_a_device(monkeypatch: pytest.MonkeyPatch, windows: int, whole: int) -> None:
    """Passes of a size that this machine would not choose, as a GPU's are."""
    monkeypatch.setattr(Batching, "usual", lambda *_: Batching(windows, whole, images=16))


def test_evidence_is_the_same_to_the_cell(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, protocol = open_dataset("shapes", "test"), load_protocol("views")

    def counted(
        images: int, workers: int, threads: int, fed: bool = False, **rest: Any
    ) -> Evidence:
        monkeypatch.setenv("SEGMODELS_IMAGES", str(images))
        monkeypatch.setattr(stream, "cores", lambda: workers)
        monkeypatch.setattr(stream, "is_fed", lambda _model: fed)  # as a GPU is
        torch.set_num_threads(threads)
        try:
            return evaluate(steps.subject_of(load_run("published")), dataset, protocol, **rest)[0]
        finally:
            torch.set_num_threads(1)

    plain = counted(1, 1, 1)
    for windows, whole in ((1, 1), (4, 3)):
        on_a_device(monkeypatch, windows, whole)
        expected = counted(1, 1, 1)
        for images, workers, threads in ((2, 1, 1), (3, 2, 2), (7, 1, 2)):
            assert counted(images, workers, threads) == expected
            assert counted(images, workers, threads, fed=True) == expected
        part = counted(2, 1, 1, shard=(0, 2))
        assert part.images == expected.images[::2]
        assert expected == plain  # these images hold no tie


def test_killed_in_a_batch_and_taken_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_device(monkeypatch, windows=4, whole=2)
    subject, dataset = steps.subject_of(load_run("published")), open_dataset("shapes", "test")
    whole, _ = evaluate(subject, dataset, load_protocol("views"))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(subject, dataset, load_protocol("views"), progress=stop)
    found, record = evaluate(subject, dataset, load_protocol("views"))
    assert record["resumed_at"] == 1  # in the middle of what shared passes before
    assert found == whole


@pytest.mark.parametrize("wrong", ["0", "many", "-1", "2.5"])
def test_a_number_of_images_that_is_none(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    monkeypatch.setenv("SEGMODELS_IMAGES", wrong)
    assert cli.main(["evaluate", "published"]) == 1
    assert f"SEGMODELS_IMAGES={wrong} is no number of images" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_counting_where_the_labels_are(root: Path) -> None:
    dataset, run = open_dataset("shapes", "test"), load_run("published")
    here, _ = evaluate(steps.subject_of(run), dataset, load_protocol("views"))
    there, _ = evaluate(steps.subject_of(run, "cuda"), dataset, load_protocol("views"))
    pixels = sum(sum(image.counts) for image in here.images)
    moved = np.abs(here.total() - there.total()).sum() / 2
    assert there.key == here.key
    assert moved < 1e-3 * pixels
