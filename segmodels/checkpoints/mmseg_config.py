"""What the training config inside a file of mmsegmentation tells; text that is never run.

Tensors do not show dilations, whether corners are aligned, or how pixels were normalised. The
config that most files carry does. Where a file carries none, the published defaults of each
network are assumed.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segmodels.checkpoints.mmseg_fields import check_model
from segmodels.checkpoints.mmseg_model import stated_model
from segmodels.errors import SegmodelsError
from segmodels.models.preprocessing import Preprocessing

#: In the published configs of the networks known here: ResNets at 1/8 of the image,
#: MobileNetV2 at 1/8, DeepLabV3+'s pyramid, Swin or U-Net. Others give the same tensors.
KNOWN: dict[str, set[tuple[float, ...]]] = {
    "dilations": {(1, 1, 2, 4), (1, 1, 1, 2, 2, 4, 4), (1, 12, 24, 36)},
    "strides": {(1, 2, 1, 1), (1, 2, 2, 1, 1, 1, 1), (4, 2, 2, 2), (1,) * 5},
    "pool_scales": {(1, 2, 3, 6)},
}

#: What those sizes are like in the networks here.
LIKE = {"pool_scales": "(1, 2, 3, 6)"}

#: The switch of the networks for crops of 769 pixels.
ALIGNED = "align_corners=True"

#: Switches that change numbers and that the networks here do not have.
FOREIGN = {
    ALIGNED: "it upsamples with aligned corners",
    "multi_grid=(": "its backbone has a multi-grid",
    "contract_dilation=False": "the first block of a stage is dilated as the others",
    "style='caffe'": "its blocks stride in the first convolution",
}

#: A tuple or list of plain values, given to a name by ``name=`` or by ``'name':``.
LISTED = r"(?<![\w.]){name}['\"]?\s*[=:]\s*([(\[][^()\[\]]*[)\]])"

#: What a name is given that is neither a list nor a number, such as a variable.
WORD = r"(?<![\w.]){name}['\"]?\s*[=:]\s*([A-Za-z_]\w*)"

#: Activations of the networks known here.
ACTIVATION = re.compile(r"act_cfg['\"]?[=:](?:dict\()?\{?['\"]?type['\"]?[=:]['\"](\w+)['\"]")
ACTIVATIONS = {"ReLU", "ReLU6", "GELU"}


@dataclass(frozen=True)
class Described:
    """The meta data of a file: class names, and the config as text.

    mmsegmentation 0.x wrote ``CLASSES`` and ``config``, 1.x writes ``dataset_meta`` and ``cfg``.
    """

    path: Path
    meta: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The config, or nothing."""
        texts = (self.meta.get(name) for name in ("cfg", "config"))
        return next((text for text in texts if isinstance(text, str)), "")

    @cached_property
    def model(self) -> dict[str, Any] | None:
        """What the config says of the network; None if it says nothing.

        Raises:
            SegmodelsError: it says something that only running it would tell.
        """
        try:
            return stated_model(self.text)
        except ValueError as error:
            raise SegmodelsError(
                f"{self.path}: the 'model' of its config cannot be read as plain values ({error}), "
                f"so that its network is not known."
            ) from error

    def backbone(self, name: str) -> Any:
        """What the config gives a field of the backbone; None if nothing."""
        return self._of("backbone", name)

    def head(self, name: str) -> Any:
        """What the config gives a field of the head; None if nothing."""
        return self._of("decode_head", name)

    def _of(self, part: str, name: str) -> Any:
        stated = (self.model or {}).get(part)
        return stated.get(name) if isinstance(stated, dict) else None

    def check_model(self, config: Mapping[str, Any]) -> None:
        """Compare all that the config says of the network with the arguments of ours.

        Raises:
            SegmodelsError: a field differs, or is not known; it is named.
        """
        if self.model is not None:
            check_model(self.path, self.model, config)

    def class_names(self, num_classes: int) -> tuple[str, ...] | None:
        """Names of the logit channels, if there is one for each."""
        dataset = self.meta.get("dataset_meta")
        names = dataset.get("classes") if isinstance(dataset, Mapping) else None
        names = names or self.meta.get("CLASSES")
        if not isinstance(names, (list, tuple)) or len(names) != num_classes:
            return None
        return tuple(map(str, names))

    def numbers(self, name: str) -> set[tuple[float, ...]]:
        """Every tuple or list of numbers the config gives to a name.

        Raises:
            SegmodelsError: a list holds something else.
        """
        found = re.findall(LISTED.format(name=name), self.text)
        return {self._read(name, values) for values in found}

    def _read(self, name: str, text: str) -> tuple[float, ...]:
        """Numbers as Python writes them: 1.2e2 and -1 too."""
        try:
            values = ast.literal_eval(text)
            numbers = values if isinstance(values, (tuple, list)) else (values,)
            if all(math.isfinite(number) for number in numbers):
                return tuple(map(float, numbers))
        except (ValueError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError):
            pass
        raise SegmodelsError(
            f"{self.path}: its config has {name}={' '.join(text.split())[:80]}; expected numbers."
        )

    def one(self, name: str) -> tuple[float, ...] | None:
        """The numbers of a name; None if the config does not give it any.

        Raises:
            SegmodelsError: it gives different ones in different places.
        """
        found = sorted(self.numbers(name))
        if len(found) > 1:
            self._refuse_two(name, [str(list(numbers)) for numbers in found])
        return found[0] if found else None

    def _refuse_two(self, name: str, found: list[str]) -> None:
        raise SegmodelsError(
            f"{self.path}: its config says {name} {len(found)} times in different ways "
            f"({' and '.join(found[:3])}), and not which of them the weights are for."
        )

    def whole(self, name: str) -> set[int]:
        """Every single whole number that the config gives to a name."""
        found = re.findall(rf"(?<![\w.]){name}['\"]?\s*[=:]\s*(\d+)\b(?!\.)", self.text)
        return {int(number) for number in found}

    def check_whole(self, name: str, ours: int) -> None:
        """Compare what the config says about a size with what the tensors show, or imply.

        Raises:
            SegmodelsError: it says another.
        """
        stated = self.whole(name)
        if stated and ours not in stated:
            found = " and ".join(map(str, sorted(stated)))
            raise SegmodelsError(
                f"{self.path}: its config has {name} {found}; the network of these tensors here "
                f"has {ours}."
            )

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The normalisation; None if the config has none.

        Raises:
            SegmodelsError: it has several, or one that is no three numbers each; it is named.
        """
        given = {name: self.one(name) for name in ("mean", "std")}
        words = {
            f"{name}={word}"
            for name in given
            for word in re.findall(WORD.format(name=name), self.text)
        }
        if words:
            raise SegmodelsError(
                f"{self.path}: its config has {' and '.join(sorted(words))} instead of numbers, so "
                f"that its pixels are not known."
            )
        mean, std = given["mean"], given["std"]
        if mean is None and std is None:
            return None
        values = {"mean": list(mean or ()), "std": list(std or ())}
        try:
            return Preprocessing.from_dict({"channels": self._channels(), **values})
        except SegmodelsError as error:
            raise SegmodelsError(f"{self.path}: in its config, {error}") from error

    def _channels(self) -> str:
        """The order of channels; where no switch is given, that of the step that normalises."""
        found = set(re.findall(r"(?<![\w.])(?:bgr_)?to_rgb['\"]?\s*[=:]\s*(\w+)", self.text))
        if len(found) > 1:
            self._refuse_two("to_rgb", sorted(found))
        usual = "False" if "data_preprocessor" in self.text else "True"
        return "RGB" if (found.pop() if found else usual) in ("True", "true") else "BGR"

    @property
    def align_corners(self) -> bool:
        """Whether it says anywhere that corners are aligned."""
        return ALIGNED in re.sub(r"\s", "", self.text)

    def check(self, aligned: bool = False) -> None:
        """Refuse networks whose tensors look like ours and that compute something else.

        Args:
            aligned: whether the network here can align corners.

        Raises:
            SegmodelsError: the config says so; the switch is named.
        """
        flat = re.sub(r"\s", "", self.text)
        for switch, reason in FOREIGN.items():
            if switch in flat and not (aligned and switch == ALIGNED):
                raise SegmodelsError(
                    f"{self.path}: {reason} ({switch.rstrip('(')} in its config), which the "
                    f"network of that name here does not."
                )
        for name, known in KNOWN.items():
            for values in sorted(self.numbers(name) - known):
                found = ", ".join(str(int(value)) for value in values)
                raise SegmodelsError(
                    f"{self.path}: its config has the {name} ({found}); the networks here have "
                    f"{LIKE.get(name, 'those that keep 1/8 of the image')}."
                )
        for name in sorted(set(ACTIVATION.findall(flat)) - ACTIVATIONS):
            raise SegmodelsError(
                f"{self.path}: its config has the activation {name}; the networks here have "
                f"{', '.join(sorted(ACTIVATIONS))}."
            )
