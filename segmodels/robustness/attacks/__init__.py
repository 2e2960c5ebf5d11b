"""Attacks on images by name. To add one: a file here, and a line in `ATTACKS`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np

from segmodels.core.arguments import rgb, whole, words, wrong
from segmodels.core.arrays import VOID, Pixels
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation.precision import evaluating, full_precision
from segmodels.models.base import SegModel, network
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import protocol_of
from segmodels.robustness.attacks.base import Attack, Attempt, Ball, Settings, stronger
from segmodels.robustness.attacks.fgsm import FGSM
from segmodels.robustness.attacks.losses import LOSSES
from segmodels.robustness.attacks.noise import NOISE
from segmodels.robustness.attacks.pgd import PGD
from segmodels.robustness.attacks.segpgd import SEGPGD
from segmodels.robustness.attacks.victim import Victim, frozen
from segmodels.robustness.corruptions import generator

ATTACKS: dict[str, Attack] = {"fgsm": FGSM, "pgd": PGD, "segpgd": SEGPGD, "noise": NOISE}

#: Fields where nothing else is said.
USUAL: dict[str, Any] = {
    "step": 1,
    "steps": 20,
    "losses": ("cross_entropy",),
    "start": "random",
    "seed": 0,
}

#: Between losses in a condition.
_AND = "+"


class Strength(TypedDict, total=False):
    """Fields of an attack beside its bound."""

    step: int
    steps: int
    losses: Sequence[str]
    start: str
    seed: int


def attack(
    model: SegModel,
    image: Pixels,
    label: Pixels,
    protocol: Protocol | str,
    name: str = "pgd",
    *,
    epsilon: int,
    key: str = "",
    **strength: Unpack[Strength],
) -> Pixels:
    """Change an image, within a bound, so that a network gets fewer of its pixels right.

    The network is attacked through all of the protocol: resize, normalisation, windows, views.

    Args:
        model: a network that carries its preprocessing; asked in eval mode.
        image: uint8 (H, W, 3), RGB, or an RGB image of Pillow; not changed.
        label: uint8 (H, W), classes or 255, whose pixels have no influence.
        protocol: how the network looks at an image; a name, or what `load_protocol` gave.
        name: a key of `ATTACKS`.
        epsilon: no value changes by more; grey levels, 1 to 255.
        key: usually the image's name; images with different keys start elsewhere.
        strength: `step`, by which values move at once, grey levels (default 1); `steps`, how often,
            or draws of `noise` (20); `losses`, keys of `LOSSES`, of several the strongest image
            wins (cross-entropy alone); `start`, "random" or "image" (random); `seed` (0).

    Returns:
        uint8 (H, W, 3), the image that leaves fewest pixels right of all that the attack came by.
        On a processor it is the same for the same arguments, torch and number of threads.

    Raises:
        UnknownNameError: no such attack or loss; the message suggests the nearest.
        SegmodelsError: an argument is impossible, or none of this attack; scores are not finite.
    """
    network(model)
    protocol = protocol_of(protocol)
    image, key = rgb("image", image), words("key", key)
    label = _labels(label, image, model)
    condition = condition_of(name, epsilon, strength)
    with full_precision(), evaluating(model), frozen(model):
        return attacked(Victim(model, protocol, label), image, key, condition)


def condition_of(name: str, epsilon: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that decides an attack's images, and nothing else, as a condition of evidence.

    Args:
        name: of the attack.
        epsilon: its bound.
        given: its other fields; those that are not given are `USUAL`.

    Raises:
        UnknownNameError: no such attack or loss.
        SegmodelsError: a field is none of this attack, or impossible.
    """
    if words("name", name) not in ATTACKS:
        raise UnknownNameError("attack", name, ATTACKS)
    found = ATTACKS[name]
    for field in given:
        if field not in found.fields:
            raise SegmodelsError(_not_a_field(name, field))
    values = {field: given.get(field, usual) for field, usual in USUAL.items()}
    condition: dict[str, Any] = {"attack": name, "epsilon": whole("epsilon", epsilon, 1, 255)}
    for field in ("step", "steps"):
        if field in found.fields:
            condition[field] = whole(field, values[field], 1, 255 if field == "step" else 100_000)
    if "step" in condition:
        _check_reach(**condition)
    if "losses" in found.fields:
        condition["loss"] = _AND.join(_known_losses(values["losses"]))
    if "start" in found.fields:
        condition["start"] = words("start", values["start"])
        if condition["start"] not in ("random", "image"):
            raise wrong("start", "'random' or 'image'", condition["start"])
    if "seed" in found.fields:
        seed = whole("seed", values["seed"], 0)
        condition |= {} if condition.get("start") == "image" else {"seed": seed}
    return condition | ({"version": found.version} if found.version > 1 else {})


def attacked(victim: Victim, image: Pixels, key: str, condition: Mapping[str, Any]) -> Pixels:
    """The strongest image under a condition of `condition_of`, over all of its losses."""
    found = ATTACKS[condition["attack"]]
    fields = {f: condition[f] for f in ("step", "steps", "start") if f in condition}
    settings = Settings(condition["epsilon"], **fields)
    ball, best = Ball(image, settings.epsilon), None
    for loss in (found.loss or str(condition["loss"])).split(_AND):
        draws = generator("attack", settings.epsilon, condition.get("seed", 0), key)
        attempt: Attempt = found.run(victim, ball, settings, LOSSES[loss], draws)
        best = stronger(best, attempt)
    assert best is not None
    return best.image


def _check_reach(epsilon: int, step: int, steps: int, **_: Any) -> None:
    if step * steps < epsilon:
        raise SegmodelsError(
            f"argument 'steps': {steps} steps of {step} never reach the bound of {epsilon} grey "
            f"levels; take {-(-epsilon // step)} or more."
        )


def _not_a_field(name: str, field: str) -> str:
    fields = ", ".join(one for one in USUAL if one in ATTACKS[name].fields)
    loss = ATTACKS[name].loss
    why = f"; its loss is {loss}" if field == "losses" and loss and name != "noise" else ""
    return f"argument {field!r}: {name} has 'epsilon', {fields} and nothing else{why}."


def _known_losses(losses: Any) -> list[str]:
    if isinstance(losses, str) or not isinstance(losses, Sequence) or not losses:
        raise wrong("losses", f"a list of {', '.join(LOSSES)}", losses)
    for loss in losses:
        if not isinstance(loss, str) or loss not in LOSSES:
            raise UnknownNameError("loss in argument 'losses'", str(loss)[:60], LOSSES)
    if len(set(losses)) < len(losses):
        raise wrong("losses", "each loss once", list(losses))
    return list(losses)


def _labels(label: Pixels, image: Pixels, model: SegModel) -> Pixels:
    expected = f"uint8 {image.shape[:2]}, classes of the network or 255"
    right = isinstance(label, np.ndarray) and label.dtype == np.uint8
    if not right or label.shape != image.shape[:2]:
        raise wrong("label", expected, label)
    stray = sorted(set(np.unique(label).tolist()) - {VOID})
    if stray and stray[-1] >= model.num_classes:
        raise wrong("label", expected, stray[-1])
    return label
