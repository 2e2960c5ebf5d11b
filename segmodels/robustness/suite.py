"""Robustness suites: the conditions under which a model is evaluated again.

`params/robustness.yaml` lists suites; a suite expands to conditions, and each condition gives
evidence of its own. To add a kind of stress: a file here, and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml, take_fields, take_list
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation.subject import Subject
from segmodels.robustness import corruption, parameter_noise
from segmodels.robustness.corruptions import CORRUPTIONS

Condition = dict[str, Any]
#: Makes the subject of an evaluation under a condition from the clean one.
Apply = Callable[[Subject, Condition], Subject]

KINDS: dict[str, Apply] = {
    "corruption": corruption.apply,
    "parameter_noise": parameter_noise.apply,
}


@dataclass(frozen=True)
class StressSuite:
    """A named list of conditions.

    Attributes:
        name: key in `params/robustness.yaml`.
        title: one line for people.
        conditions: `{"corruption": name, "severity": 1..5, "seed": n}` or
            `{"parameter_noise": sigma, "seed": n}`.
    """

    name: str
    title: str
    conditions: tuple[Condition, ...]


def load_stress_suite(name: str, path: Path | None = None) -> StressSuite:
    """One suite of `params/robustness.yaml`.

    Raises:
        UnknownNameError: no such suite; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = path or project_root() / "params" / "robustness.yaml"
    known = read_yaml(path)
    if name not in known:
        raise UnknownNameError("robustness suite", name, known)
    where = f"{path}, suite {name!r}"
    optional = {
        "corruptions": list,
        "severities": list,
        "parameter_noise": list,
        "seeds": list,
    }
    fields = take_fields(where, known[name], {"title": str}, optional)
    _check(where, fields)
    conditions = tuple(_expand(fields))
    if not conditions:
        raise SegmodelsError(f"{where}: lists neither 'corruptions' nor 'parameter_noise'.")
    return StressSuite(name, fields["title"], conditions)


def _check(where: str, fields: dict[str, Any]) -> None:
    kinds = {"corruptions": str, "severities": int, "parameter_noise": float, "seeds": int}
    for name, kind in kinds.items():
        take_list(where, name, fields.get(name, []), kind)
    for name in fields.get("corruptions", ()):
        if name not in CORRUPTIONS:
            raise SegmodelsError(f"{where}: {UnknownNameError('corruption', name, CORRUPTIONS)}")
    for name, low, high in (("severities", 1, 5), ("seeds", 0, 2**32), ("parameter_noise", 0, 1e6)):
        for value in fields.get(name, ()):
            if not low <= value <= high:
                raise SegmodelsError(f"{where}: {value} in {name!r} is outside {low} to {high}.")


def _expand(fields: dict[str, Any]) -> list[Condition]:
    seeds = fields.get("seeds", [0])
    corruptions = [
        {"corruption": corruption_name, "severity": severity, "seed": seed}
        for corruption_name in fields.get("corruptions", ())
        for severity in fields.get("severities", (1, 2, 3, 4, 5))
        for seed in seeds
    ]
    noises = [
        {"parameter_noise": float(sigma), "seed": seed}
        for sigma in fields.get("parameter_noise", ())
        for seed in seeds
    ]
    return corruptions + noises


def stressed(subject: Subject, condition: Condition) -> Subject:
    """The subject under a condition; the clean subject is not changed."""
    for kind, apply in KINDS.items():
        if kind in condition:
            return apply(subject, condition)
    raise UnknownNameError("kind of stress", next(iter(condition), ""), KINDS)
