from __future__ import annotations

import dataclasses
import math
from itertools import product

import numpy as np
import pytest
import small_project
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper_gpu import paper_gpu
from torch import nn

import segmodels as sm
from segmodels import steps
from segmodels.core.arrays import VOID
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.base import Sample
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation.gradients import pixel_gradient, traced_scores
from segmodels.evaluation.image_counter import predicted
from segmodels.evaluation.stream import prepared
from segmodels.evaluation.subject import Subject
from segmodels.evaluation.views import network_input, network_inputs
from segmodels.evidence.soundness import unsound
from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.preprocessing import ESPNET_CAMVID, IMAGENET
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.robustness.attacks import ATTACKS, attack, condition_of
from segmodels.robustness.attacks.base import Ball
from segmodels.robustness.attacks.losses import LOSSES
from segmodels.robustness.attacks.losses import right as right_pixels
from segmodels.robustness.attacks.victim import Victim
from segmodels.robustness.suite import load_stress_suite, stressed
from segmodels.runs.run import load_run
from segmodels.steps.loading import subject_of

CLASSES = 3
WHOLE = Protocol(name="whole", version=1, title="whole")
PROTOCOLS = {
    "whole": WHOLE,
    "resized": WHOLE.replace(resize_short=20, resize_multiple=8),
    "antialiased": WHOLE.replace(resize_short=20, resize_library="pillow"),
    "unrounded": WHOLE.replace(resize_short=40, resize_library="opencv-float"),
    "windows": WHOLE.replace(window=16, stride=12),
    "views": WHOLE.replace(scales=(0.75, 1.0), flip=True),
    "logits": WHOLE.replace(scales=(0.75, 1.0), average="logits"),
    "at input": WHOLE.replace(resize_short=20, argmax_at="input"),
}


class Small(SegModel):
    """Two convolutions that see a few pixels around."""

    def __init__(self) -> None:
        super().__init__(ModelConfig(CLASSES))
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, CLASSES, 3, padding=1)
        )
        self.preprocessing = IMAGENET

    def forward_lowres(self, images):
        return self.net(images)


def scene(seed: int, height: int = 32, width: int = 44) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of a class whose channel is the brightest, by little, and a few void pixels."""
    random = np.random.default_rng(seed)
    label = random.integers(0, CLASSES, (height // 4, width // 4)).repeat(4, 0).repeat(4, 1)
    image = random.integers(90, 120, (height, width, 3))
    image += 24 * (label[..., None] == np.arange(3))
    label = label.astype(np.uint8)
    label[:3, :5] = 255
    return image.astype(np.uint8), label


@pytest.fixture(scope="module")
def model() -> SegModel:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    small = Small()
    optimizer = torch.optim.Adam(small.parameters(), lr=0.02)
    for number in range(60):
        image, label = scene(number)
        loss = nn.functional.cross_entropy(
            small(tensor_of(image)), torch.from_numpy(label).long()[None], ignore_index=255
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    small.eval().zero_grad()
    image, label = scene(1000)
    assert right(small, image, label) > 0.95
    return small


def tensor_of(image):
    return torch.from_numpy(IMAGENET.apply(image).transpose(2, 0, 1))[None]


def right(model, image, label, protocol=WHOLE) -> float:
    known = label != 255
    return float((sm.predict(model, image, protocol)[known] == label[known]).mean())


IMAGE, LABEL = scene(1000)


def attacked(model, name="pgd", *, epsilon=8, **strength) -> np.ndarray:
    return attack(model, IMAGE, LABEL, WHOLE, name, epsilon=epsilon, **strength)


# What every attack keeps


@pytest.mark.parametrize(("name", "epsilon"), product(ATTACKS, [1, 7, 255]))
def test_the_bound_is_kept_to_the_grey_level_and_reached(model, name, epsilon):
    step = {"step": max(1, epsilon // 5)} if "step" in ATTACKS[name].fields else {}
    before = IMAGE.copy()
    found = attacked(model, name, epsilon=epsilon, **step)
    moved = np.abs(found.astype(int) - IMAGE)
    assert found.dtype == np.uint8
    assert found.shape == IMAGE.shape
    assert moved.max() == epsilon if epsilon < 100 else moved.max() > 100
    np.testing.assert_array_equal(IMAGE, before)


def test_a_ball_ends_where_the_bound_or_the_grey_levels_do():
    image = np.array([[[0, 3, 255]]], np.uint8)
    ball = Ball(image, 5)
    np.testing.assert_array_equal(ball.at(np.full((1, 1, 3), 9, np.int16)), [[[5, 8, 255]]])
    down = np.full((1, 1, 3), -300, np.int16)
    np.testing.assert_array_equal(ball.moved(ball.image, down), [[[0, 0, 250]]])
    drawn = np.stack(
        [Ball(np.full((9, 9, 3), 99, np.uint8), 2).drawn(random) for random in draws()]
    )
    assert sorted(np.unique(drawn)) == [97, 98, 99, 100, 101]


def draws():
    return [np.random.default_rng(seed) for seed in range(4)]


@pytest.mark.parametrize("name", ["fgsm", "pgd", "segpgd"])
def test_void_pixels_have_no_influence(model, name):
    """Pixels that void pixels alone look at are left as they are."""
    label = LABEL.copy()
    label[:, 20:] = 255
    strength = {} if name == "fgsm" else {"steps": 6, "start": "image"}
    found = attack(model, IMAGE, label, WHOLE, name, epsilon=6, **strength)
    moved = (found != IMAGE).any(axis=(0, 2))
    assert moved[3:22].all()
    assert not moved[22:].any()  # two convolutions see two pixels far
    label[:] = 255
    found = attack(model, IMAGE, label, WHOLE, name, epsilon=6, **strength)
    np.testing.assert_array_equal(found, IMAGE)


def test_the_labels_of_void_pixels_are_not_in_the_loss(model):
    victim = Victim(model, WHOLE, LABEL)
    inputs = [tensor_of(IMAGE)[0].requires_grad_()]
    loss = LOSSES["cross_entropy"]
    look = victim.look(IMAGE, loss, 0.0)
    scores = traced_scores(model, inputs, LABEL.shape, WHOLE)
    wanted = nn.functional.cross_entropy(
        scores[None], torch.from_numpy(LABEL).long()[None], ignore_index=255
    )
    assert look.loss == pytest.approx(float(wanted.detach()), rel=1e-5)
    assert (
        look.right
        == victim.right(IMAGE)
        == round(right(model, IMAGE, LABEL) * (LABEL != 255).sum())
    )


def test_an_attack_is_repeated_by_seed_and_key_and_nothing_else(model):
    torch.manual_seed(1)
    np.random.seed(1)
    one = attacked(model, steps=8, seed=3, key="a")
    torch.manual_seed(2)
    np.random.seed(2)
    np.testing.assert_array_equal(attacked(model, steps=8, seed=3, key="a"), one)
    assert not np.array_equal(attacked(model, steps=8, seed=4, key="a"), one)
    assert not np.array_equal(attacked(model, steps=8, seed=3, key="b"), one)


def test_the_network_is_left_as_it_was(model):
    model.train()
    try:
        attacked(model, steps=8)
        assert model.training
        assert all(parameter.grad is None for parameter in model.parameters())
        assert all(parameter.requires_grad for parameter in model.parameters())
    finally:
        model.eval()


# How strong they are


def test_attacks_are_stronger_than_noise_and_more_steps_than_few(model):
    noise = right(model, attacked(model, "noise", epsilon=10, steps=5), LABEL)
    once = right(model, attacked(model, "fgsm", epsilon=10), LABEL)
    shares = [
        right(model, attacked(model, epsilon=10, steps=steps, start="image"), LABEL)
        for steps in (10, 20, 40)
    ]
    assert noise > 0.9
    assert once < noise
    assert shares[0] <= once
    assert shares == sorted(shares, reverse=True)  # the same steps, and more of them
    assert shares[-1] < noise - 0.3


@pytest.mark.parametrize("name", ["pgd", "segpgd"])
def test_a_bound_without_meaning_leaves_next_to_nothing_right(model, name):
    found = attacked(model, name, epsilon=255, step=16)
    assert right(model, found, LABEL) < 0.1  # where guessing gets a third


def test_the_loss_grows_with_the_steps(model):
    victim, loss = Victim(model, WHOLE, LABEL), LOSSES["cross_entropy"]
    images = [IMAGE] + [attacked(model, steps=n, start="image", epsilon=n) for n in (1, 2, 4, 8)]
    losses = [victim.look(image, loss, 0.0).loss for image in images]
    assert losses == sorted(losses)


def test_the_worst_of_several_losses_is_none_weaker_than_each(model):
    names = ["cross_entropy", "masked_cross_entropy", "jensen_shannon"]
    each = [right(model, attacked(model, steps=9, losses=[name]), LABEL) for name in names]
    assert right(model, attacked(model, steps=9, losses=names), LABEL) == min(each)
    assert len(set(each)) > 1


def test_the_first_step_of_segpgd_is_that_of_fgsm_on_right_pixels(model):
    """Its weight of wrong pixels is 0 then."""
    one = attacked(model, "segpgd", epsilon=9, step=9, steps=1, start="image")
    np.testing.assert_array_equal(
        one, attacked(model, "fgsm", epsilon=9, losses=["masked_cross_entropy"])
    )
    assert not np.array_equal(one, attacked(model, "fgsm", epsilon=9))


def test_an_attack_sees_what_the_protocol_does(model):
    """Against the protocol it was made for it is stronger than one made for another."""
    for protocol in PROTOCOLS.values():
        before = right(model, IMAGE, LABEL, protocol)
        found = attack(model, IMAGE, LABEL, protocol, epsilon=12, steps=12)
        assert right(model, found, LABEL, protocol) < before - 0.2, protocol


# Losses, by their formulas written down pixel by pixel


def written(name: str, scores: np.ndarray, label: np.ndarray, progress: float) -> float:
    total = 0.0
    for pixel in range(scores.shape[1]):
        odds = [math.exp(score) for score in scores[:, pixel]]
        shares = [one / sum(odds) for one in odds]
        entropy = -math.log(shares[label[pixel]])
        is_right = max(range(len(shares)), key=shares.__getitem__) == label[pixel]
        if name == "cross_entropy":
            total += entropy
        elif name == "masked_cross_entropy":
            total += entropy if is_right else 0.0
        elif name == "balanced_cross_entropy":  # lambda = (t - 1) / (2 T), progress = (t - 1) / T
            total += entropy * (1 - progress / 2 if is_right else progress / 2)
        else:
            truth = [float(place == label[pixel]) for place in range(len(shares))]
            middle = [(a + b) / 2 for a, b in zip(shares, truth, strict=True)]
            total += (divergence(shares, middle) + divergence(truth, middle)) / 2
    return total / scores.shape[1]


def divergence(one: list[float], other: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(one, other, strict=True) if a > 0)


@pytest.mark.parametrize(("name", "progress"), product(LOSSES, [0.0, 0.7]))
def test_a_loss_is_its_formula(name, progress):
    random = np.random.default_rng(5)
    scores, label = random.normal(0, 2, (4, 30)), random.integers(0, 4, 30)
    found = LOSSES[name](torch.from_numpy(scores), torch.from_numpy(label), progress)
    assert float(found) == pytest.approx(written(name, scores, label, progress), rel=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_without_a_class_are_in_no_loss(name):
    random = np.random.default_rng(6)
    scores = torch.from_numpy(random.normal(0, 2, (4, 30))).requires_grad_()
    label = torch.from_numpy(random.integers(0, 4, 30))
    label[7:19] = VOID
    known = label != VOID
    found = LOSSES[name](scores, label, 0.7)
    alone = LOSSES[name](scores.detach()[:, known], label[known], 0.7)
    assert float(found.detach()) == pytest.approx(float(alone))
    (gradient,) = torch.autograd.grad(found, scores)
    assert not gradient[:, ~known].any()
    nothing = LOSSES[name](scores, torch.full((30,), VOID), 0.7)
    assert float(nothing.detach()) == 0
    assert not torch.autograd.grad(nothing, scores)[0].any()


@given(st.data(), st.integers(1, 5), st.integers(1, 12))
def test_right_pixels_are_those_of_the_argmax_also_where_scores_are_equal(data, classes, pixels):
    few = st.sampled_from([-1.5, -0.0, 0.0, 2.0])
    drawn = data.draw(st.lists(few, min_size=classes * pixels, max_size=classes * pixels))
    scores = torch.tensor(drawn).reshape(classes, pixels)
    known = st.sampled_from([*range(classes), VOID])
    label = torch.tensor(data.draw(st.lists(known, min_size=pixels, max_size=pixels)))
    assert right_pixels(scores, label).tolist() == (scores.argmax(dim=0) == label).tolist()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_finite_gradients_where_scores_are_extreme(name):
    scores = torch.tensor([[200.0, -200.0, 0.0], [-200.0, 200.0, 0.0]], requires_grad=True)
    loss = LOSSES[name](scores, torch.tensor([0, 0, 1]), 0.5)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


# Gradients through the protocol


#: Under which no network was trained.
REVERSED = {"reversed": WHOLE.replace(statistics_order="reversed")}


@pytest.mark.parametrize("name", [*PROTOCOLS, *REVERSED])
@pytest.mark.parametrize("preprocessing", [IMAGENET, ESPNET_CAMVID], ids=["RGB", "BGR"])
def test_the_gradient_of_pixels_is_that_of_the_inputs(name, preprocessing):
    """Changes of an image change the inputs as the gradient says, but for rounding."""
    protocol = {**PROTOCOLS, **REVERSED}[name]
    random = np.random.default_rng(2)
    image = random.integers(60, 190, (24, 36, 3)).astype(np.uint8)
    change = random.integers(-60, 61, image.shape)
    moved = (image + change).astype(np.uint8)
    for scale in protocol.scales:
        one = protocol.replace(scales=(scale,))
        before, after = (network_input(preprocessing, i, one, scale) for i in (image, moved))
        weights = random.normal(0, 1, before.shape).astype(np.float32)
        gradient = torch.from_numpy(np.ascontiguousarray(weights.transpose(2, 0, 1)))
        found = pixel_gradient(preprocessing, image, [gradient], one)
        expected = float(((after - before) * weights).sum())
        size = float(np.abs((after - before) * weights).sum())
        assert abs(float((found * change).sum()) - expected) < 0.01 * size


@pytest.mark.parametrize("name", PROTOCOLS)
def test_traced_scores_decide_the_labels_that_are_predicted(model, name):
    protocol = PROTOCOLS[name]
    label = sm.predict(model, IMAGE, protocol)
    size = (20, 28) if name == "at input" else IMAGE.shape[:2]
    inputs = [one.requires_grad_() for one in network_inputs(model, IMAGE, protocol)]
    scores = traced_scores(model, inputs, size, protocol)
    if name != "at input":
        np.testing.assert_array_equal(scores.argmax(0).numpy(), label)
    gradients = torch.autograd.grad(scores.sum(), inputs)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


# As conditions of evidence


def test_a_condition_names_what_decides_and_nothing_else():
    assert condition_of("fgsm", 4, {}) == {"attack": "fgsm", "epsilon": 4, "loss": "cross_entropy"}
    losses = ["jensen_shannon", "cross_entropy"]
    assert condition_of("pgd", 4, {"losses": losses, "start": "image", "seed": 3}) == {
        **{"attack": "pgd", "epsilon": 4, "step": 1, "steps": 20},
        **{"loss": "jensen_shannon+cross_entropy", "start": "image"},
    }
    assert condition_of("segpgd", 2, {"steps": 5, "seed": 3}) == {
        **{"attack": "segpgd", "epsilon": 2, "step": 1, "steps": 5},
        **{"start": "random", "seed": 3},
    }


def test_a_suite_of_attacks(tmp_path):
    path = tmp_path / "robustness.yaml"
    path.write_text(
        "s: {title: t, seeds: [0, 1], attacks: [{attack: fgsm, epsilon: [2, 4]}, "
        "{attack: noise, epsilon: [2], steps: 3}]}\n"
    )
    fgsm = {"attack": "fgsm", "loss": "cross_entropy"}
    noise = {"attack": "noise", "epsilon": 2, "steps": 3}
    assert load_stress_suite("s", path).conditions == (
        {**fgsm, "epsilon": 2},
        {**fgsm, "epsilon": 4},
        {**noise, "seed": 0},
        {**noise, "seed": 1},
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{attack: pdg, epsilon: [2]}", "attack 'pdg'. Did you mean 'pgd'"),
        ("{attack: pgd, epsilon: [0]}", "at least 1 .*found 0"),
        ("{attack: pgd, epsilon: [2.5]}", "found 2.5"),
        ("{attack: pgd, epsilon: []}", r"'attacks.0..epsilon': expected at least 1 item, found"),
        (
            "{attack: pgd, epsilon: [2, 2]}",
            r"'attacks.0..epsilon': expected each once, found .2, 2",
        ),
        (
            "{attack: pgd, epsilon: [2], losses: [jensen_shannon, jensen_shannon]}",
            r"'attacks.0..losses': expected each once, found",
        ),
        (
            "{attack: fgsm, epsilon: [4]}, {attack: fgsm, epsilon: [2, 4]}",
            "'attacks' lists .*twice",
        ),
        ("{attack: pgd, epsilon: [2]}, {attack: pgd, epsilon: [2], steps: 20}", "lists .* twice"),
        ("{attack: pgd}", "field 'attacks.0..epsilon' is missing"),
        ("{attack: pgd, epsilon: [8], steps: 4}", "4 steps of 1 never reach .* 8 .*take 8 or more"),
        (
            "{attack: fgsm, epsilon: [8], steps: 4}",
            "'steps': fgsm has 'epsilon', losses and nothing",
        ),
        ("{attack: segpgd, epsilon: [8], losses: [cross_entropy]}", "its loss is balanced"),
        ("{attack: pgd, epsilon: [8], losses: [crossentropy]}", "Did you mean 'cross_entropy'"),
    ],
)
def test_what_is_wrong_with_an_attack_is_named(tmp_path, entry, message):
    path = tmp_path / "robustness.yaml"
    path.write_text(f"s: {{title: t, attacks: [{entry}]}}\n")
    with pytest.raises(SegmodelsError, match=message):
        load_stress_suite("s", path)


def test_wrong_arguments_are_named(model):
    for strength, message in (
        ({"name": "pdg", "epsilon": 3}, "Did you mean 'pgd'"),
        ({"epsilon": 0}, "'epsilon': .* at least 1"),
        ({"epsilon": 3, "losses": "cross_entropy"}, "'losses': expected a list"),
        ({"epsilon": 3, "losses": ["cross_entropy"] * 2}, "each loss once"),
        ({"epsilon": 3, "start": "nowhere"}, "'start': expected 'random' or 'image'"),
        ({"epsilon": 3, "start": "image", "seed": -1}, "'seed': .* at least 0, found -1"),
        ({"epsilon": 3, "start": "image", "seed": 0.5}, "'seed': .* at least 0, found 0.5"),
        ({"epsilon": 3, "sep": 1}, "'sep': pgd has 'epsilon', step, steps, losses, start, seed"),
    ):
        with pytest.raises(SegmodelsError, match=message):
            attack(model, IMAGE, LABEL, WHOLE, **strength)
    with pytest.raises(SegmodelsError, match="'label': expected uint8"):
        attack(model, IMAGE, LABEL[1:], WHOLE, epsilon=3)
    with pytest.raises(SegmodelsError, match=r"'label': .*found 9"):
        attack(model, IMAGE, np.full_like(LABEL, 9), WHOLE, epsilon=3)
    with pytest.raises(UnknownNameError):
        condition_of("pdg", 3, {})


def test_images_are_counted_after_they_were_attacked(model):
    clean = Subject(model, "ab" * 32, {}, "cd" * 32)
    condition = condition_of("pgd", 10, {"steps": 10, "seed": 2})
    subject = stressed(clean, condition)
    assert subject.condition == condition
    sample = Sample("a", IMAGE, LABEL)
    (found,) = predicted(subject, [prepared(sample, None)], WHOLE)
    image = attack(model, IMAGE, LABEL, WHOLE, epsilon=10, steps=10, seed=2, key="a")
    np.testing.assert_array_equal(found.checked(), sm.predict(model, image, WHOLE))
    with pytest.raises(SegmodelsError, match="field 'version': expected 1, found 2"):
        stressed(clean, {**condition, "version": 2})
    assert dataclasses.replace(subject, attack=None, condition=None) == clean


def test_a_run_under_attacks(tmp_path, monkeypatch):
    """From the suite to evidence, with progress; what is counted is not attacked again."""
    root = small_project.enter(tmp_path / "project", monkeypatch)
    with (root / "params" / "robustness.yaml").open("a") as file:
        file.write("hostile: {title: t, attacks: [{attack: fgsm, epsilon: [4]}, ")
        file.write("{attack: pgd, epsilon: [4], steps: 4, losses: [jensen_shannon]}]}\n")
    steps.ensure_inputs(load_run("published"))
    told = []
    found = steps.stress_run(
        "published", "hostile", steps.Options(progress=lambda *numbers: told.append(numbers))
    )
    conditions = [evidence.identity.condition for evidence in found]
    assert conditions == list(load_stress_suite("hostile").conditions)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {(1, 6), (2, 6), (4, 6), (5, 6), (6, 6)} <= set(told)  # three images, two conditions
    assert [list(unsound(evidence)) for evidence in found] == [[], []]

    dataset, subject = open_dataset("shapes", "test"), subject_of(load_run("published"))
    protocol, sample = load_protocol("plain"), dataset.read(1)
    image = attack(
        *(subject.model, sample.image, sample.label, protocol),
        **{"epsilon": 4, "steps": 4, "losses": ["jensen_shannon"], "key": sample.name},
    )
    labels = sm.predict(subject.model, image, protocol)
    counts = sm.confusion_matrix(sample.label, labels, subject.model.num_classes)
    counted = found[1].images[1]
    assert counted.image == sample.name
    assert sum(counted.counts) == counts.sum() + (sample.label == 255).sum()
    np.testing.assert_array_equal(matrix_of(found[1], 1)[:-1], counts)

    def refused(*_):
        raise AssertionError("attacked again")

    monkeypatch.setattr("segmodels.robustness.attack.attacked", refused)
    assert steps.stress_run("published", "hostile") == found


def matrix_of(evidence, place):
    one = evidence.images[place]
    cells = np.zeros((len(evidence.classes) + 1) * evidence.outputs, np.int64)
    cells[list(one.cells)] = one.counts
    return cells.reshape(-1, evidence.outputs)


# On a GPU of paper


def test_devices_are_never_mixed(model):
    wanted = attacked(model, "pgd", epsilon=3, steps=3, losses=["jensen_shannon"])
    with paper_gpu() as gpu:
        there = Small().eval()
        there.load_state_dict(model.state_dict())
        there.to("cuda")
        for losses in (["jensen_shannon"], list(LOSSES)):
            found = attack(there, IMAGE, LABEL, WHOLE, epsilon=3, steps=3, losses=losses)
            if len(losses) == 1:
                np.testing.assert_array_equal(found, wanted)
        assert gpu.launches


# Beside a library of attacks, where one is installed (docs/robustness.md)


class OnUnitPixels(nn.Module):
    """The small network on images from 0 to 1, as libraries of attacks want it."""

    def __init__(self, model: SegModel) -> None:
        super().__init__()
        self.model = model
        for name, values in (("mean", IMAGENET.mean), ("std", IMAGENET.std)):
            self.register_buffer(name, torch.tensor(values)[:, None, None])

    def forward(self, images):
        return self.model((images * 255 - self.mean) / self.std)


@pytest.mark.parametrize("steps", [1, 8])
def test_steps_are_those_of_torchattacks(model, steps):
    torchattacks = pytest.importorskip("torchattacks")
    peer = torchattacks.PGD(
        OnUnitPixels(model).eval(), eps=8 / 255, alpha=1 / 255, steps=steps, random_start=False
    )
    label = torch.from_numpy(LABEL).long()[None]
    label[label == 255] = -100  # what PyTorch's cross-entropy leaves out
    images = torch.from_numpy(IMAGE.transpose(2, 0, 1)).float()[None] / 255
    found = (peer(images, label)[0] * 255).round().numpy().transpose(1, 2, 0)
    ours = attacked(model, epsilon=steps, steps=steps, start="image")
    # A gradient that is nearly 0 has one sign or the other, by rounding.
    assert np.mean(found == ours) > 0.999
