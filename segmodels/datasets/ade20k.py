"""ADE20K as SceneParsing-150 (ADEChallengeData2016): 150 classes, 20,210 and 2,000 images.

Zhou et al., "Scene Parsing through ADE20K Dataset" (CVPR 2017). The full ADE20K, with its 3,000
classes in coloured labels, is another dataset and is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from segmodels.core.arrays import VOID
from segmodels.datasets.classes import class_colours, class_names
from segmodels.datasets.reading.encoding import Encoding, contiguous
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.layouts import Layout
from segmodels.errors import SegmodelsError

_FOLDERS = {"train": "training", "val": "validation"}
_MEMBER = re.compile(
    r"(?:[^/]+/)?((?:images|annotations)/(?:training|validation)/ADE_\w+\.(?:jpg|png))"
)
_MANY = 2000
_FULL = ("index_ade20k.pkl", "index_ade20k.mat", "images/ADE", "images/training/a")
_FULL_FOLDERS = ("ADE20K_2021_17_01", "ADE20K_2016_07_26")


class ADE20K(FolderDataset):
    """`images/training/ADE_train_00000001.jpg`, labels beside it in `annotations/`.

    Labels are stored as 0 for other and 1 to 150; class = stored - 1, and other is void.
    """

    name = "ade20k"
    splits = ("train", "val")
    class_names: ClassVar[tuple[str, ...]] = class_names("ade20k")
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = class_colours("ade20k")
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            "the challenge's archive",
            "images/{split}",
            "annotations/{split}",
            names=_FOLDERS,
        ),
    )
    below = (
        "",
        "ADEChallengeData2016",
        "ade/ADEChallengeData2016",  # mmsegmentation and SegFormer
        "data/ade/ADEChallengeData2016",
        "ade20k/ADEChallengeData2016",  # Segmenter and DEPICT
    )
    encodings: ClassVar[dict[str, Encoding]] = {
        "": contiguous("challenge's labels 0..150", 150, first=1, void=(0,))
    }

    archives = ("ADEChallengeData2016.zip",)

    @classmethod
    def unpacked_name(cls, member: str) -> str | None:
        """Images and annotations count; lists and readme do not."""
        matched = _MEMBER.fullmatch(member)
        return matched[1] if matched else None

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """The full ADE20K."""
        full = any((path / name).exists() for name in (*_FULL, *_FULL_FOLDERS))
        if not full and path.name not in _FULL_FOLDERS:
            return None
        return (
            "This is the full ADE20K: 3,000 classes, written in colours. Papers measure the "
            "challenge's 150 classes; get ADEChallengeData2016.zip."
        )

    @classmethod
    def check_pixels(cls, split: str, images: int, pixels: dict[str, int]) -> None:
        """Labels reduced twice are 0..149 and give no other sign: the last class is never there.

        By the published list 56 validation images show a flag.
        """
        last = cls.class_names[-1]
        if images >= _MANY and not pixels[last]:
            raise SegmodelsError(
                f"ade20k, split {split!r}: none of {images} images has a {last!r} (stored 150). "
                f"The labels were reduced already (0..149); put the annotations as published "
                f"there, 0 for other and 1..150 for classes."
            )

    def hint(self, found: frozenset[int]) -> str:
        """Labels that were reduced already would silently shift every class by one."""
        if VOID in found:
            return (
                "With 255 for void they are reduced already (0..149); put the annotations as "
                "published there, 0 for other and 1..150 for classes."
            )
        return "The file is damaged or of another dataset; unpack the challenge's archive again."
