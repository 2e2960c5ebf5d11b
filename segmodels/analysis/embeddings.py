"""Class embeddings on their way through a decoder: what DEPICT's theory speaks of.

DEPICT (arXiv 2411.03033) reads its decoder as finding a subspace that holds most of the variance of
the patches, spanned by embeddings of classes that are as good as orthogonal. CBT (arXiv 2509.16875)
changes the attention of that decoder and keeps the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from segmodels.analysis.watching import Seen, watching
from segmodels.errors import SegmodelsError
from segmodels.evaluation.precision import evaluating, inference, lowres_logits
from segmodels.models.base import SegModel
from segmodels.models.cbt import Decoder as ContractedDecoder
from segmodels.models.depict import CrossDecoder, SelfDecoder
from segmodels.models.segmenter import MaskDecoder

#: Decoders whose layers take patches and classes together, patches first.
_Joint = MaskDecoder | SelfDecoder | ContractedDecoder

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of classes and patches at one place of a decoder.

    Attributes:
        place: in words.
        classes: float64 (classes, width).
        patches: float64 (patches, width), which are not all the same.
    """

    place: str
    classes: Matrix
    patches: Matrix

    @property
    def cosines(self) -> Matrix:
        """Absolute cosines of all pairs of classes, (classes, classes)."""
        lengths = np.linalg.norm(self.classes, axis=1, keepdims=True)
        unit = self.classes / np.maximum(lengths, np.finfo(np.float64).tiny)
        found: Matrix = np.minimum(np.abs(unit @ unit.T), 1.0)
        return found

    @property
    def coherence(self) -> float:
        """The largest absolute cosine of two different classes; 0 if all are orthogonal."""
        others = ~np.eye(len(self.classes), dtype=bool)
        return float(self.cosines[others].max(initial=0.0))

    @property
    def mean_cosine(self) -> float:
        """The mean absolute cosine of two different classes."""
        others = ~np.eye(len(self.classes), dtype=bool)
        return float(self.cosines[others].mean()) if others.any() else 0.0

    @property
    def rank(self) -> int:
        """Singular values above float32's rounding of the largest."""
        values = np.linalg.svd(self.classes, compute_uv=False)
        least = values.max() * max(self.classes.shape) * np.finfo(np.float32).eps
        return int((values > least).sum())

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy of the singular values' shares (Roy and Vetterli, 2007).

        0 where all embeddings are 0, as the rank is.
        """
        values = np.linalg.svd(self.classes, compute_uv=False)
        if not values.any():
            return 0.0
        shares = values / values.sum()
        shares = shares[shares > 0]
        return float(np.exp(-(shares * np.log(shares)).sum()))

    @property
    def variance_inside(self) -> float:
        """Share of the variance of the patches in the subspace that the classes span."""
        around = self.patches - self.patches.mean(axis=0)
        _, _, directions = np.linalg.svd(self.classes, full_matrices=False)
        inside = around @ directions[: self.rank].T
        return float((inside**2).sum() / (around**2).sum())

    @property
    def by_chance(self) -> float:
        """The share that a subspace of this rank holds if no direction is better than another."""
        return float(self.rank / self.classes.shape[1])


def embeddings(model: SegModel, pixels: Tensor, image: str = "the image") -> list[Embeddings]:
    """Embeddings before the first layer of a decoder, after each, and as they are compared.

    Args:
        model: Segmenter with a mask decoder, DEPICT-SA, DEPICT-CA or CBT; asked in eval mode.
        pixels: float (1, 3, h, w), on its device.
        image: what messages call it.

    Raises:
        SegmodelsError: the network has no embeddings of classes, or the patches do not vary, as
            one alone, so that there is no share of their variance.
    """
    decoder = getattr(model, "decoder", None)
    if not isinstance(decoder, _Joint | CrossDecoder):
        name = model.config.get("name") or type(model).__name__
        raise SegmodelsError(
            f"{name!r} has no class embeddings. Networks that have: DEPICT-SA, DEPICT-CA, CBT, "
            f"and Segmenter with its mask decoder."
        )
    watched = [one for one in decoder.modules() if one is not decoder]
    with inference(), evaluating(model):
        with watching(watched) as seen:
            lowres_logits(model, pixels, "fp32")
        if isinstance(decoder, CrossDecoder):
            found = _of_cross(decoder, seen)
        else:
            found = _of_joint(decoder, seen)
        places = [Embeddings(place, _matrix(c), _matrix(p)) for place, c, p in found]
    for one in places:
        _refuse_still(one, image)
    return places


def _refuse_still(one: Embeddings, image: str) -> None:
    count = len(one.patches)
    if count == 1:
        raise SegmodelsError(
            f"{image}: the network sees it as one patch, and one patch has no variance that a "
            f"share could be inside of. Name a larger image."
        )
    if (one.patches == one.patches[0]).all():
        raise SegmodelsError(
            f"{image}: its {count} patches are all the same ({one.place}), and have no variance "
            f"that a share could be inside of. Name another image, or other weights."
        )


#: Place, classes (1, C, width), patches (1, N, width).
_Found = list[tuple[str, Tensor, Tensor]]


def _of_joint(decoder: _Joint, seen: Mapping[nn.Module, Seen]) -> _Found:
    """Of Segmenter, DEPICT-SA and CBT."""
    layers = list(decoder.blocks if isinstance(decoder, MaskDecoder) else decoder.net.layers)
    count = decoder.cls_emb.shape[1]

    def split(place: str, tokens: Tensor) -> tuple[str, Tensor, Tensor]:
        return place, tokens[:, -count:], tokens[:, :-count]

    norm = seen[decoder.decoder_norm].gave
    if layers:
        found = [split("before", seen[layers[0]].given[0])]
    else:
        found = [split("before", seen[decoder.decoder_norm].given[0])]
    found += [split(f"layer {n}", seen[one].gave) for n, one in enumerate(layers, 1)]
    place, classes, patches = split("compared", norm)
    if isinstance(decoder, MaskDecoder):
        classes, patches = classes @ decoder.proj_classes, patches @ decoder.proj_patch
    return [*found, (place, classes, patches)]


def _of_cross(decoder: CrossDecoder, seen: Mapping[nn.Module, Seen]) -> _Found:
    """Of DEPICT-CA: patches are refined alone, then classes look at them."""
    learned, found = decoder.cls_emb, _Found()
    refining = list(decoder.snet.layers)
    patches = seen[refining[0]].given[0] if refining else seen[decoder.snorm].given[0]
    found.append(("before", learned, patches))
    for number, layer in enumerate(refining, 1):
        found.append((f"patches {number}", learned, seen[layer].gave))
    patches = seen[decoder.snorm].gave
    for number, layer in enumerate(decoder.cnet.layers, 1):
        step = seen[layer.fn]  # type: ignore[index]
        found.append((f"classes {number}", step.given[0] + step.gave, patches))
    return [*found, ("compared", seen[decoder.cnorm].gave, patches)]


def _matrix(tokens: Tensor) -> Matrix:
    return np.asarray(tokens[0].double().cpu().numpy())
