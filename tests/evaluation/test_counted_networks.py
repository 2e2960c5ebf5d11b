"""The same counts while `EVALUATOR` is the same: the guard of every number that is not recounted.

Stages reuse evidence by its key, which holds the version of the evaluator. Whoever changes what is
counted without raising it would leave old numbers in place as if they were new. `counted_networks`
says why nothing here depends on the machine.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
import torch
from counted_networks import (
    CLASSES,
    NETWORKS,
    PROTOCOLS,
    cases,
    counts,
    network,
    protocol,
    scene,
)
from reference_arrays import FOLDER

from segmodels.core.arrays import VOID
from segmodels.evaluation import fast, geometry, reference, windows
from segmodels.evaluation.counting import count_pairs
from segmodels.models.preprocessing import Preprocessing
from segmodels.models.registry import MODELS
from segmodels.protocols.protocol import Protocol
from segmodels.versions import EVALUATOR

STORED = json.loads(lzma.decompress((FOLDER / "counts.json.xz").read_bytes()))
CASES = {(case["network"], case["protocol"]): case for case in STORED["cases"]}
INTENDED = (
    "labels or counts changed. If this is intended, raise EVALUATOR in segmodels/versions.py (all "
    "evidence is then counted again) and run tests/reference/make_counts.py"
)


#: Counted under every kind of protocol each time; the others under those that ask most of them.
EVERYWHERE = ("unet", "espnet", "segformer", "segmenter-mask", "depict", "upernet")
FEW = ("whole", "padded", "views-window")


def other_counts(name: str, kinds: Collection[str]) -> list[str]:
    """The kinds of protocol under which a network is no longer counted as it was."""
    model = network(name, STORED["offsets"][name])
    stored = {kind: CASES[name, kind] for kind in kinds}
    return [
        kind
        for kind, case in stored.items()
        if counts(model, kind, case["unsure"]) != case["counts"]
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_counts_are_those_of_this_evaluator(name: str) -> None:
    found = other_counts(name, PROTOCOLS if name in EVERYWHERE else FEW)
    assert not found, f"{name} under {', '.join(found)}: {INTENDED}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in EVERYWHERE])
def test_the_other_counts_are_those_of_this_evaluator(name: str) -> None:
    found = other_counts(name, PROTOCOLS.keys() - set(FEW))
    assert not found, f"{name} under {', '.join(found)}: {INTENDED}"


def test_the_stored_counts_are_of_this_evaluator() -> None:
    assert STORED["evaluator"] == EVALUATOR, "run tests/reference/make_counts.py"
    assert list(CASES) == list(cases())


def test_every_family_and_every_field_of_inference_is_there() -> None:
    built = {MODELS[registered].builder for registered, _ in NETWORKS.values()}
    assert built == {e.builder for e in MODELS.values() if "Classifier" not in e.builder}
    used = {name for fields in PROTOCOLS.values() for name in fields}
    usual = Protocol(name="usual", version=1, title="usual")
    inferring = {
        name
        for name in usual.to_dict()
        if name in Protocol(name="x", version=1, title="x").inference
    }
    described = set(Protocol.model_fields)
    left_out = {"name", "version", "title", "source", "datasets", *usual.scoring}
    left_out |= {"precision", "ignore_classes", "images_drawn"}  # another arithmetic; ways to score
    left_out |= {"whole_image"}  # of classifiers: test_whole_image.py
    assert described - left_out == used
    assert inferring <= used


def test_nearly_every_pixel_is_counted_and_every_output_wins_somewhere() -> None:
    for (name, kind), case in CASES.items():
        pixels = scene(kind).label.size
        assert len(case["unsure"]) < 0.02 * pixels, (name, kind)
    whole = [np.reshape(CASES[name, "whole"]["counts"], (CLASSES, CLASSES)) for name in NETWORKS]
    assert all(matrix.sum(axis=0).all() for matrix in whole)


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_the_reference_path_gives_the_same_counts(kind: str) -> None:
    model, case = network("segformer", STORED["offsets"]["segformer"]), CASES["segformer", kind]
    sample = scene(kind)
    truth = sample.label.copy()
    truth.reshape(-1)[case["unsure"]] = VOID
    labels = reference.predict(model, sample.image, protocol(kind))
    found = count_pairs(truth, labels, CLASSES, CLASSES, VOID)[:CLASSES]
    assert found.flatten().tolist() == case["counts"]


# What is noticed: small changes, each under the protocols it concerns.


def _rolled(whole: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **named: torch.roll(whole(*given, **named), 1, dims=-1)


CHANGES: dict[str, tuple[Any, str, Callable[[Any], Any], set[str]]] = {
    "labels one pixel to the right": (fast, "_labels", _rolled, set(PROTOCOLS)),
    "the mean is not subtracted as it was": (
        Preprocessing,
        "apply",
        lambda whole: lambda *given: whole(*given) + np.float32(0.02),
        set(PROTOCOLS),
    ),
    "no mirror image": (
        fast,
        "mirrored_views",
        lambda whole: lambda model, inputs, how: whole(model, inputs, how.replace(flip=False)),
        {"views", "views-logits", "views-window"},
    ),
    "probabilities are not averaged": (
        fast,
        "_softmax",
        lambda whole: lambda scores: scores,
        {"views", "views-window"},
    ),
    "windows at other places": (
        windows,
        "window_origins",
        lambda whole: (
            lambda length, window, stride: [
                *range(0, max(length - window, 0), stride - 8),
                max(length - window, 0),
            ]
        ),
        {"window", "window-rectangle", "views-window"},
    ),
    "padding on no side": (
        geometry,
        "padded",
        lambda whole: lambda pixels, multiple: pixels,
        {"padded"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_is_counted_is_noticed(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, function, changed, kinds = CHANGES[change]
    monkeypatch.setattr(module, function, changed(getattr(module, function)))
    assert kinds == set(other_counts("espnet", kinds))
