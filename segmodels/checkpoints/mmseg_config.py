"""What the training config inside a file of mmsegmentation tells; text that is never run.

Tensors do not show dilations, whether corners are aligned, or how pixels were normalised. The
config that most files carry does. Where a file carries none, the published defaults of each
network are assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodels.errors import SegmodelsError
from segmodels.models.preprocessing import Preprocessing

#: In the published configs of the networks known here: ResNets at 1/8 of the image,
#: MobileNetV2 at 1/8, DeepLabV3+'s pyramid or Swin. Others give the same tensors.
KNOWN: dict[str, set[tuple[float, ...]]] = {
    "dilations": {(1, 1, 2, 4), (1, 1, 1, 2, 2, 4, 4), (1, 12, 24, 36)},
    "strides": {(1, 2, 1, 1), (1, 2, 2, 1, 1, 1, 1), (4, 2, 2, 2)},
}

#: Switches that change numbers and that the networks here do not have.
FOREIGN = {
    "align_corners=True": "it upsamples with aligned corners",
    "multi_grid=(": "its backbone has a multi-grid",
}

NUMBERS = r"[\d\s.,]*"


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

    def class_names(self, num_classes: int) -> tuple[str, ...] | None:
        """Names of the logit channels, if there is one for each."""
        dataset = self.meta.get("dataset_meta")
        names = dataset.get("classes") if isinstance(dataset, Mapping) else None
        names = names or self.meta.get("CLASSES")
        if not isinstance(names, (list, tuple)) or len(names) != num_classes:
            return None
        return tuple(map(str, names))

    def numbers(self, name: str) -> set[tuple[float, ...]]:
        """Every tuple or list of numbers the config gives to a name."""
        found = re.findall(rf"\b{name}\s*=\s*[(\[]({NUMBERS})[)\]]", self.text)
        return {_numbers(values) for values in found}

    def one(self, name: str) -> tuple[float, ...] | None:
        """The numbers of a name that has the same ones everywhere in the config."""
        found = self.numbers(name)
        return found.pop() if len(found) == 1 else None

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The normalisation, if the config gives one and only one."""
        mean, std = self.one("mean"), self.one("std")
        if mean is None or std is None or len(mean) != 3 or len(std) != 3:
            return None
        is_rgb = re.search(r"\b(bgr_)?to_rgb\s*=\s*True", self.text) is not None
        return Preprocessing("RGB" if is_rgb else "BGR", mean, std)

    def check(self) -> None:
        """Refuse networks whose tensors look like ours and that compute something else.

        Raises:
            SegmodelsError: the config says so; the switch is named.
        """
        flat = re.sub(r"\s", "", self.text)
        for switch, reason in FOREIGN.items():
            if switch in flat:
                raise SegmodelsError(
                    f"{self.path}: {reason} ({switch.rstrip('(')} in its config), which the "
                    f"network of that name here does not."
                )
        for name, known in KNOWN.items():
            for values in sorted(self.numbers(name) - known):
                found = ", ".join(str(int(value)) for value in values)
                raise SegmodelsError(
                    f"{self.path}: its config has the {name} ({found}); the networks here have "
                    f"those that keep 1/8 of the image."
                )


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in re.findall(r"\d+\.?\d*", text))
