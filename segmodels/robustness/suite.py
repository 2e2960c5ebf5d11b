"""Robustness suites: the conditions under which a model is evaluated again.

`params/robustness.yaml` lists suites; a suite expands to conditions, and each condition gives
evidence of its own. To add a kind of stress: a file here, and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.entry import EachOnce, Entry, Several, SomeOnce, Words, read_entry
from segmodels.core.names import LETTERS, is_name
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError, pick
from segmodels.evaluation.subject import Subject
from segmodels.metrics.severities import ALL, Levels
from segmodels.protocols.protocol import Protocol
from segmodels.robustness import attack, corruption, parameter_noise, resolution
from segmodels.robustness.attack import AttackEntry
from segmodels.robustness.attacks.victim import frozen
from segmodels.robustness.corruptions import (
    CORRUPTIONS,
    DEFAULT,
    Variant,
    corruption_of,
    frost,
    is_random,
)
from segmodels.robustness.parameter_noise import LeftOut, Part, Scale
from segmodels.robustness.resolution import Factor, Windows, different

Condition = dict[str, Any]
#: Makes the subject of an evaluation under a condition from the clean one.
Apply = Callable[[Subject, Condition], Subject]

KINDS: dict[str, Apply] = {
    "corruption": corruption.apply,
    "parameter_noise": parameter_noise.apply,
    "attack": attack.apply,
    "resolution": resolution.apply,
}


def _known(name: str) -> str:
    if name not in CORRUPTIONS:
        raise ValueError(str(UnknownNameError("corruption", name, CORRUPTIONS)))
    return name


CorruptionName = Annotated[
    str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(CORRUPTIONS)})
]
Sigma = Annotated[float, Field(ge=0, le=1e6)]
Seed = Annotated[int, Field(ge=0, le=2**32)]


class StressSuite(Entry):
    """A named list of conditions; no list of it names anything twice.

    Attributes:
        name: key in `params/robustness.yaml`; part of the names of folders.
        file: in which it stands.
        title: one line for people.
        corruptions: of images, each
        severities: at these,
        fewer: or, of some corruptions, at those given here alone;
        variant: by the definitions of this generator (docs/robustness.md), and
        textures: frost from the photographs in this folder, instead of drawn textures; a path from
            the project's folder. Conditions tell the photographs by their content;
        parameter_noise: of weights, each of these standard deviations,
        noise_on: on the encoder, the decoder or all of them,
        noise_scale: absolute, or relative to the root mean square of each tensor,
        noise_without: leaving out the parameters of normalisations, or tokens of classes and
            image;
        attacks: of images, against the network;
        resolutions: factors of the size at which the protocol shows images, each with these
        windows: the `protocol`'s, `whole` images, or windows of so many pixels a side, one beside
            the other;
        seeds: and each condition with all of these.
        every: of how many images one is counted, from the first of the split on: 10 takes every
            tenth of them.
    """

    name: SkipJsonSchema[str]
    file: SkipJsonSchema[Path]
    title: Words
    corruptions: EachOnce[CorruptionName] = ()
    severities: Levels = ALL
    fewer: dict[CorruptionName, Levels] = Field(default_factory=dict)
    variant: Variant = DEFAULT
    textures: str = ""
    parameter_noise: EachOnce[Sigma] = ()
    noise_on: Part = "all"
    noise_scale: Scale = "absolute"
    noise_without: EachOnce[LeftOut] = ()
    attacks: Several[AttackEntry] = ()
    resolutions: EachOnce[Factor] = ()
    windows: EachOnce[Windows] = ("protocol",)
    seeds: SomeOnce[Seed] = (0,)
    every: Annotated[int, Field(ge=1, le=1_000_000)] = 1

    def problems(self) -> Iterator[str]:
        """No name, nothing to measure under, or fewer severities of what is not there."""
        if not is_name(self.name):
            yield f"{self.name!r} is no name for a suite: {LETTERS}"
        if self.resolutions and not self.windows:
            yield "lists 'resolutions', but no 'windows': `protocol` are those of the protocol"
        if self.photographs and "frost" not in self.corruptions:
            yield "field 'textures' is for frost, which is not among 'corruptions'"
        elif self.photographs and (told := frost.lacking(self.photographs)):
            yield f"field 'textures': {told}".rstrip(".")
        elif not self.conditions:
            yield "lists none of 'corruptions', 'parameter_noise', 'attacks' and 'resolutions'"
        if self.windows != ("protocol",) and not self.resolutions:
            yield "says what 'windows' are, but lists no 'resolutions'"
        if self.noise_fields and not self.parameter_noise:
            yield "says what noise is like, but lists no 'parameter_noise'"
        yield from self._wrong_corruptions()
        attacks = [one for entry in self.attacks for one in entry.conditions(self.seeds)]
        for rank, one in enumerate(attacks):
            if one in attacks[:rank]:
                yield f"field 'attacks' lists {one} twice"

    def _wrong_corruptions(self) -> Iterator[str]:
        for name in self.corruptions:
            try:
                corruption_of(name, self.variant)
            except SegmodelsError as error:
                yield f"field 'variant': {error}".rstrip(".")
        for name in self.fewer:
            if name not in self.corruptions:
                yield f"field 'fewer' names {name!r}, which is not among 'corruptions'"

    @property
    def photographs(self) -> Path | None:
        """The folder of frost's photographs; None for drawn textures."""
        return project_root() / Path(self.textures).expanduser() if self.textures else None

    @property
    def noise_fields(self) -> Condition:
        """What a condition says of its noise beside level and seed; empty for the usual one."""
        usual = {"noise_on": "all", "noise_scale": "absolute", "noise_without": ""}
        without = "+".join(sorted(set(self.noise_without)))
        fields = {
            "noise_on": self.noise_on,
            "noise_scale": self.noise_scale,
            "noise_without": without,
        }
        return {name: value for name, value in fields.items() if value != usual[name]}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """`{"corruption": name, "severity": 1..5, "seed": n}`, with 0 for all seeds where nothing
        is drawn, then `{"parameter_noise": sigma, "seed": n}`; with `variant` and the fields of
        noise where they are not the default ones, the `version` of a corruption whose pixels
        changed, and a digest of frost's photographs (`textures`) where they are not drawn; then
        those of the attacks, and `{"resolution": factor}`, with `windows` where they are not the
        protocol's; all with `every` where not all images are counted.
        """
        other: Condition = {} if self.variant == DEFAULT else {"variant": self.variant}
        corruptions = (
            {"corruption": name, "severity": level, "seed": seed, **other, **self._of(name, level)}
            for name in self.corruptions
            for level in self.fewer.get(name, self.severities)
            for seed in (self.seeds if is_random(name, self.variant) else (0,))
        )
        noises = (
            {"parameter_noise": sigma, "seed": seed, **self.noise_fields}
            for sigma in self.parameter_noise
            for seed in self.seeds
        )
        attacks = (one for entry in self.attacks for one in entry.conditions(self.seeds))
        resolutions = resolution.conditions(self.resolutions, self.windows)
        of: Condition = {} if self.every == 1 else {"every": self.every}
        return tuple({**one, **of} for one in (*corruptions, *noises, *attacks, *resolutions))

    def _of(self, name: str, severity: int) -> Condition:
        """What a condition says of one corruption: its version, and which photographs it takes."""
        version: Condition = {**corruption.version_in_condition(name, severity)}
        if name != "frost" or self.photographs is None:
            return version
        return {**version, "textures": frost.digest_of(self.photographs)}

    def under(self, protocol: Protocol) -> list[Condition]:
        """Its conditions that differ from each other where images are shown by a protocol; one at
        least.

        Raises:
            SegmodelsError: the protocol shows none of its images in windows, or shows them anyway
                as each condition would.
        """
        found = different(protocol, self.conditions)
        if not found:
            raise SegmodelsError(
                f"{self.file}, suite {self.name!r}: field 'resolutions': none of them changes how "
                f"protocol {protocol.name!r} shows images. Give a factor other than 1, or other "
                f"'windows'."
            )
        return found


def load_stress_suite(name: str, path: Path | None = None) -> StressSuite:
    """One suite of `params/robustness.yaml`.

    Raises:
        UnknownNameError: no such suite; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = path or project_root() / "params" / "robustness.yaml"
    entry = pick("robustness suite", name, read_yaml(path))
    return read_entry(StressSuite, f"{path}, suite {name!r}", entry, name=name, file=path)


def stressed(subject: Subject, condition: Condition, photographs: Path | None = None) -> Subject:
    """The subject under a condition; the clean subject is not changed.

    Args:
        subject: what is evaluated.
        condition: of a suite.
        photographs: of that suite.
    """
    if "textures" in condition:
        return corruption.apply(subject, condition, photographs)
    for kind, apply in KINDS.items():
        if kind in condition:
            return apply(subject, condition)
    raise UnknownNameError("kind of stress", next(iter(condition), ""), KINDS)


@contextmanager
def stressing(
    subject: Subject, condition: Condition, photographs: Path | None = None
) -> Iterator[Subject]:
    """The subject under a condition for a while: noise falls on its network and is taken back, and
    an attack finds parameters that ask for no gradient.
    """
    if "parameter_noise" in condition:
        with parameter_noise.in_place(subject, condition) as disturbed:
            yield disturbed
    elif "attack" in condition:
        with frozen(subject.model):
            yield stressed(subject, condition)
    else:
        yield stressed(subject, condition, photographs)
