from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch

from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation.subject import Subject
from segmodels.models import create_model
from segmodels.robustness.corruptions import CORRUPTIONS, corrupt, is_current
from segmodels.robustness.suite import load_stress_suite, stressed, stressing
from segmodels.verdicts.rules import load_rules


@pytest.fixture(scope="module")
def clean():
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=4).eval()
    return Subject(model, "ab" * 32, {"trained": "here"}, "cd" * 32)


def values(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def noisy(clean, sigma, seed=0):
    return stressed(clean, {"parameter_noise": sigma, "seed": seed})


# Parameter noise


def test_noise_has_the_scale_it_says_and_no_drift(clean):
    for sigma in (0.01, 0.1):
        noise = values(noisy(clean, sigma).model) - values(clean.model)
        assert len(noise) > 10_000
        assert float(noise.std()) == pytest.approx(sigma, rel=0.03)
        assert abs(float(noise.mean())) < 4 * sigma / len(noise) ** 0.5


def test_every_parameter_is_disturbed_and_no_buffer(clean):
    disturbed = noisy(clean, 0.01).model
    for one, other in zip(clean.model.parameters(), disturbed.parameters(), strict=True):
        assert not torch.equal(one, other)
    for one, other in zip(clean.model.buffers(), disturbed.buffers(), strict=True):
        assert torch.equal(one, other)


def moved(clean, **fields):
    """Names of the parameters that noise moved, and by what root mean square."""
    condition = {"parameter_noise": 0.01, "seed": 0, **fields}
    disturbed = dict(stressed(clean, condition).model.named_parameters())
    differences = {
        name: float((disturbed[name] - parameter).detach().square().mean().sqrt())
        for name, parameter in clean.model.named_parameters()
    }
    return {name: difference for name, difference in differences.items() if difference}


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_noise_falls_on_one_part(clean, part):
    prefix = {"encoder": "backbone.", "decoder": "decode_head."}[part]
    names = {name for name, _ in clean.model.named_parameters() if name.startswith(prefix)}
    found = moved(clean, noise_on=part)
    assert found.keys() == names
    everywhere = moved(clean)
    assert found == {name: everywhere[name] for name in names}  # the same noise as with all


def test_noise_for_a_while_is_that_of_a_copy_and_leaves_nothing(clean, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path))
    condition = {"parameter_noise": 0.05, "seed": 3}
    model, pixels = clean.model, torch.randn(1, 3, 64, 64)
    before = values(model).clone()
    with torch.no_grad():
        usual, wanted = model(pixels), noisy(clean, 0.05, seed=3).model(pixels)
        with suppress(KeyboardInterrupt), stressing(clean, condition) as subject:
            assert subject.model is model
            assert subject.condition == condition
            assert torch.equal(model(pixels), wanted)  # nothing that was folded before is used
            raise KeyboardInterrupt
        assert torch.equal(values(model), before)
        assert torch.equal(model(pixels), usual)
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_large_network_is_not_in_memory_twice(tmp_path):
    """300 million parameters, in a process of its own, whose memory the system counts."""
    code = """
import resource
from segmodels.evaluation.subject import Subject
from segmodels.models import create_model
from segmodels.robustness.suite import stressing

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

model = create_model("segmenter_vit_large_patch16_mask", num_classes=150).eval()
size = sum(one.numel() for one in model.parameters())
assert size > 300_000_000
before, whole = float(model.encoder.norm.weight.detach().sum()), peak()
with stressing(Subject(model, "ab" * 32, {}, "cd" * 32), {"parameter_noise": 0.1, "seed": 0}):
    assert float(model.encoder.norm.weight.detach().sum()) != before
assert float(model.encoder.norm.weight.detach().sum()) == before
print((peak() - whole) / (size * 4 / 1024))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SEGMODELS_CACHE": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert float(done.stdout) < 0.25  # of the bytes of its parameters


def test_noise_leaves_out_norms_and_tokens():
    torch.manual_seed(0)
    model = create_model("depict_sa_vit_nano_patch8", num_classes=4).eval()
    subject = Subject(model, "ab" * 32, {"trained": "here"}, "cd" * 32)
    every = {name for name, _ in model.named_parameters()}
    tokens = {"encoder.cls_token", "decoder.cls_emb"}
    assert every - moved(subject, noise_without="tokens").keys() == tokens
    norms = every - moved(subject, noise_without="norms").keys()
    assert "encoder.norm.weight" in norms
    assert all("norm" in name or "ln" in name.lower() for name in norms), norms
    assert every - moved(subject, noise_without="norms+tokens").keys() == norms | tokens


def test_noise_in_proportion_to_each_tensor(clean):
    found = moved(clean, noise_scale="relative")
    for name, parameter in clean.model.named_parameters():
        size = float(parameter.detach().square().mean().sqrt())
        assert found.get(name, 0.0) == pytest.approx(0.01 * size, rel=0.5)


def test_a_network_says_what_its_encoder_is(monkeypatch):
    unet = create_model("unet", num_classes=4, width=4).eval()
    subject = Subject(unet, "ab" * 32, {}, "cd" * 32)
    every = {name for name, _ in unet.named_parameters()}
    encoder = {name for name in every if name.startswith("down.")}
    assert moved(subject, noise_on="encoder").keys() == encoder
    assert moved(subject, noise_on="decoder").keys() == every - encoder
    monkeypatch.setattr(type(unet), "decoder_parts", ())
    with pytest.raises(SegmodelsError, match="'unet' does not say what its encoder is"):
        stressed(subject, {"parameter_noise": 0.1, "seed": 0, "noise_on": "decoder"})


def test_what_noise_is_like_stands_in_its_condition(tmp_path):
    path = tmp_path / "robustness.yaml"
    path.write_text(
        "s: {title: t, parameter_noise: [0.1], noise_on: decoder, noise_scale: relative, "
        "noise_without: [tokens, norms]}\n"
    )
    assert load_stress_suite("s", path).conditions == (
        {
            **{"parameter_noise": 0.1, "seed": 0, "noise_on": "decoder"},
            **{"noise_scale": "relative", "noise_without": "norms+tokens"},
        },
    )


def test_the_clean_model_is_not_changed(clean):
    before = values(clean.model).clone()
    subject = noisy(clean, 0.5)
    assert torch.equal(values(clean.model), before)
    assert clean.condition is None
    assert subject.condition == {"parameter_noise": 0.5, "seed": 0}
    assert (subject.weights, subject.fingerprint) == (clean.weights, clean.fingerprint)
    assert subject.model.preprocessing == clean.model.preprocessing
    assert not subject.model.training
    assert all(parameter.requires_grad for parameter in subject.model.parameters())


def test_noise_is_repeated_by_its_seed_and_nothing_else(clean):
    torch.manual_seed(1)
    one = values(noisy(clean, 0.1).model)
    torch.manual_seed(2)
    assert torch.equal(values(noisy(clean, 0.1).model), one)
    assert not torch.equal(values(noisy(clean, 0.1, seed=1).model), one)
    assert torch.equal(values(noisy(clean, 0.0).model), values(clean.model))


# Corruptions


def test_a_corruption_differs_from_image_to_image(clean):
    subject = stressed(clean, {"corruption": "gaussian_noise", "severity": 3, "seed": 7})
    image = np.full((9, 9, 3), 100, dtype=np.uint8)
    found = subject.disturb("a", image)
    np.testing.assert_array_equal(found, corrupt(image, "gaussian_noise", 3, 7, "a"))
    assert (subject.disturb("b", image) != found).any()
    assert subject.model is clean.model
    assert clean.disturb is None


@pytest.mark.parametrize("condition", [{}, {"parameter_noize": 1}])
def test_an_unknown_condition_is_refused(clean, condition):
    with pytest.raises(UnknownNameError, match="kind of stress"):
        stressed(clean, condition)


# Suites


def test_the_suites_of_this_project_expand(project):
    for name in read_yaml(project / "params" / "robustness.yaml"):
        suite = load_stress_suite(name)
        assert suite.title
        unique = {tuple(sorted(condition.items())) for condition in suite.conditions}
        assert len(unique) == len(suite.conditions)


def test_the_quick_suite(project):
    conditions = load_stress_suite("quick").conditions
    assert len(conditions) == 4 * 3 + 3
    assert {"corruption": "contrast", "severity": 5, "seed": 0} in conditions
    assert {"parameter_noise": 0.03, "seed": 0} in conditions


def test_the_suites_of_papers():
    assert len(load_stress_suite("imagenet-c").conditions) == 15 * 5
    assert len(load_stress_suite("imagenet-c-extra").conditions) == 4 * 5
    first, more = (load_stress_suite(f"imagenet-c{part}").corruptions for part in ("", "-extra"))
    assert sorted([*first, *more]) == sorted(CORRUPTIONS)


def test_cityscapes_c_is_what_its_numbers_are_judged_by():
    """The severities of the suite are those of the rule for the published means."""
    suite, rule = load_stress_suite("cityscapes-c"), load_rules().corruptions
    assert len(suite.conditions) == 12 * 5 + 4 * 3
    for name in suite.corruptions:
        levels = [one["severity"] for one in suite.conditions if one["corruption"] == name]
        assert tuple(levels) == rule.of(name)


def test_a_corruption_whose_pixels_changed_is_another_condition(tmp_path, clean):
    path = tmp_path / "robustness.yaml"
    path.write_text("s: {title: t, corruptions: [contrast, shot_noise], severities: [2]}")
    first, second = load_stress_suite("s", path).conditions
    assert first == {"corruption": "contrast", "severity": 2, "seed": 0}
    assert second == {"corruption": "shot_noise", "severity": 2, "seed": 0, "version": 2}
    assert stressed(clean, second).condition == second
    for old in ({"version": 1}, {"version": 3}):
        with pytest.raises(SegmodelsError, match=r"'version': expected 2, found [13]; the pixels"):
            stressed(clean, {**second, **old})
    with pytest.raises(SegmodelsError, match="expected 2, found 1"):
        stressed(clean, {"corruption": "shot_noise", "severity": 2, "seed": 0})


def test_pixels_of_one_severity_may_change_alone(tmp_path):
    path = tmp_path / "robustness.yaml"
    path.write_text("s: {title: t, corruptions: [defocus_blur], severities: [4, 5]}")
    fourth, fifth = load_stress_suite("s", path).conditions
    assert fourth == {"corruption": "defocus_blur", "severity": 4, "seed": 0}
    assert fifth == {"corruption": "defocus_blur", "severity": 5, "seed": 0, "version": 2}
    assert is_current(fourth)
    assert is_current(fifth)
    assert not is_current({**fourth, "version": 2})
    assert not is_current({**fifth, "version": 1})
    assert not is_current({"parameter_noise": 0.1, "seed": 0})
    for severity in (0, 6, 99):  # which others may have counted
        assert not is_current({**fourth, "severity": severity})


def test_another_generator_is_another_condition(tmp_path, clean):
    other, path = "hendrycks_then_jpeg85", tmp_path / "robustness.yaml"
    path.write_text(f"s: {{title: t, corruptions: [fog], severities: [4], variant: {other}}}")
    (condition,) = load_stress_suite("s", path).conditions
    assert condition["variant"] == other
    image = np.random.default_rng(0).integers(0, 256, (31, 45, 3), dtype=np.uint8)
    found = stressed(clean, {**condition, "seed": 3}).disturb("a", image)
    np.testing.assert_array_equal(found, corrupt(image, "fog", 4, 3, "a", variant=other))


def test_a_suite_takes_every_tenth_image(tmp_path):
    path = tmp_path / "robustness.yaml"
    path.write_text(
        "s: {title: t, corruptions: [contrast], parameter_noise: [1], resolutions: [2],"
        " attacks: [{attack: fgsm, epsilon: [2]}], every: 10}\n"
    )
    conditions = load_stress_suite("s", path).conditions
    assert len(conditions) == 5 + 1 + 1 + 1
    assert {one["every"] for one in conditions} == {10}
    path.write_text("s: {title: t, corruptions: [contrast], every: 1}")
    assert not any("every" in one for one in load_stress_suite("s", path).conditions)


def test_a_suite_takes_all_severities_and_every_seed(tmp_path):
    path = tmp_path / "robustness.yaml"
    entry = "corruptions: [fog, contrast], parameter_noise: [1], seeds: [3, 4]"
    path.write_text(f"s: {{title: t, {entry}}}\n")
    conditions = load_stress_suite("s", path).conditions
    assert len(conditions) == 5 * 2 + 5 + 2
    assert {one["seed"] for one in conditions if one.get("corruption") == "fog"} == {3, 4}
    # Nothing is drawn for contrast, so that a second seed would be counted for nothing.
    assert {one["seed"] for one in conditions if one.get("corruption") == "contrast"} == {0}
    assert conditions[-1] == {"parameter_noise": 1.0, "seed": 4}
    assert isinstance(conditions[-1]["parameter_noise"], float)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{corruptions: [contrast]}", "field 'title' is missing"),
        (
            "{title: t}",
            "lists none of 'corruptions', 'parameter_noise', 'attacks' and 'resolutions'",
        ),
        ("{title: t, corruption: [contrast]}", "unknown field 'corruption'"),
        (
            "{title: t, corruptions: contrast}",
            "field 'corruptions': expected a list, found 'contrast'",
        ),
        ("{title: t, corruptions: [contrast], every: 0}", "field 'every': expected at least 1"),
        ("{title: t, corruptions: [contrst]}", "corruption 'contrst'. Did you mean 'contrast'"),
        ("{title: t, corruptions: [3]}", r"field 'corruptions.0.': expected text, found 3"),
        (
            "{title: t, corruptions: [contrast], severities: [0]}",
            "expected 1, 2, 3, 4 or 5, found 0",
        ),
        (
            "{title: t, corruptions: [contrast], severities: [6]}",
            "expected 1, 2, 3, 4 or 5, found 6",
        ),
        ("{title: t, corruptions: [contrast], severities: [1.5]}", "2, 3, 4 or 5, found 1.5"),
        (
            "{title: t, corruptions: [contrast], seeds: [-1]}",
            "expected at least 0 and at most 4294967296, found -1",
        ),
        (
            "{title: t, corruptions: [fog], fewer: {snow: [1]}}",
            "field 'fewer' names 'snow', which is not among 'corruptions'",
        ),
        (
            "{title: t, corruptions: [fog], fewer: {fgo: [1]}}",
            "corruption 'fgo'. Did you mean 'fog'",
        ),
        ("{title: t, corruptions: [fog], fewer: {fog: [1, 1]}}", "severities 1 to 5, each once"),
        ("{title: t, corruptions: [fog], seeds: []}", "'seeds': expected at least 1 item, found"),
        ("{title: t, corruptions: [fog], severities: []}", "'severities': .* each once, found .."),
        ("{title: t, corruptions: [fog, fog]}", "'corruptions': expected each once, found .'fog'"),
        ("{title: t, corruptions: [fog], severities: [1, 1]}", "'severities': .* found .1, 1.[.]$"),
        ("{title: t, corruptions: [fog], seeds: [0, 1, 0]}", "'seeds': expected each once, found"),
        ("{title: t, parameter_noise: [1, 1.0]}", "'parameter_noise': expected each once, found"),
        (
            "{title: t, parameter_noise: [1], noise_without: [norms, norms]}",
            "'noise_without': expected each once, found",
        ),
        ("{title: t, corruptions: [fog], variant: hendriks}", "field 'variant': expected "),
        ("{title: t, corruptions: [fog], noise_on: decoder}", "lists no 'parameter_noise'"),
        ("{title: t, parameter_noise: [1], noise_on: head}", "'noise_on': expected"),
        ("{title: t, parameter_noise: [a]}", "'parameter_noise.0.': expected a number, found 'a'"),
        (
            "{title: t, parameter_noise: [-0.1]}",
            "expected at least 0 and at most 1000000.0, found -0.1",
        ),
        ("{title: t, parameter_noise: [.nan]}", "expected a finite number, found nan"),
        ("[1]", "expected fields, found list"),
    ],
)
def test_a_broken_suite_is_named(tmp_path, entry, message):
    path = tmp_path / "robustness.yaml"
    path.write_text(f"odd: {entry}\n")
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_stress_suite("odd", path)
    assert str(caught.value).startswith(f"{path}, suite 'odd': ")


@pytest.mark.parametrize("name", ["../../x", "a/b", ".", ".hidden", "a b", "", "x" * 61])
def test_a_suite_whose_name_is_none_of_a_folder_is_refused(tmp_path, name):
    path = tmp_path / "robustness.yaml"
    path.write_text(f"'{name}': {{title: t, corruptions: [fog]}}\n")
    with pytest.raises(SegmodelsError, match="is no name for a suite: letters, digits") as caught:
        load_stress_suite(name, path)
    assert str(caught.value).startswith(f"{path}, suite {name!r}: {name!r} is no name")


def test_an_unknown_suite_suggests_the_nearest(project):
    with pytest.raises(UnknownNameError, match=r"suite 'quik'. Did you mean 'quick'"):
        load_stress_suite("quik")
