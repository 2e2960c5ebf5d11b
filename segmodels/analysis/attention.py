"""Where attention looks, layer by layer and head by head, in the pass that predicts.

Weights are computed once more from what went into each layer, for the queries that are asked for.
That they are the layer's own is not believed: applied to its values they must give its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from segmodels.analysis.attention_layers import Parts, parts_of
from segmodels.analysis.queries import Query, Tokens, classes_on, tokens_of
from segmodels.analysis.stages import patch_grid
from segmodels.analysis.watching import watching
from segmodels.errors import SegmodelsError
from segmodels.evaluation.precision import evaluating, inference, lowres_logits
from segmodels.models.base import SegModel
from segmodels.models.depict import SubspaceAttention
from segmodels.models.mit import Attention as MiTAttention
from segmodels.models.swin import WindowAttention
from segmodels.models.vit import Attention as ViTAttention

#: How far the output of a layer may be from what its weights give, as a share of its largest value.
TOLERANCE = 1e-4

_DRAWN = (ViTAttention, MiTAttention, SubspaceAttention)


@dataclass(frozen=True)
class AttentionMap:
    """Where one query of one layer looks.

    Attributes:
        part: `encoder` or `decoder`.
        layer: place among the attention layers of its part, from 1.
        query: in words.
        weights: float32 (heads, rows, columns) of the patches; with `elsewhere` sums up to 1.
        elsewhere: float32 (heads,), weight of tokens that are no patch.
        deviation: of the layer's output from what these weights give.
    """

    part: str
    layer: int
    query: Query
    weights: npt.NDArray[np.float32]
    elsewhere: npt.NDArray[np.float32]
    deviation: float


@dataclass(frozen=True)
class Attention:
    """What a pass shows: maps by layer and query, and the classes that it predicts most."""

    maps: list[AttentionMap]
    queries: list[Query]


def attention_layers(model: SegModel) -> dict[str, nn.Module]:
    """Attention layers of a network by their paths, in their order.

    Raises:
        SegmodelsError: it has none, or only such as are not drawn here.
    """
    found: dict[str, nn.Module] = {
        name: one for name, one in model.named_modules() if isinstance(one, _DRAWN)
    }
    if found:
        return found
    name, kind = model.config.get("name"), type(model).__name__
    what = "no attention layers"
    if any(isinstance(one, WindowAttention) for one in model.modules()):
        what = "attention within windows of its maps only, which is not drawn here"
    raise SegmodelsError(
        f"{name or kind!r} has {what}. Attention is drawn of Segmenter, DEPICT, SETR and "
        f"SegFormer, and of their encoders."
    )


def attention(
    model: SegModel, pixels: Tensor, patches: Sequence[tuple[float, float]], classes: int = 4
) -> Attention:
    """Where the layers of a network look while it predicts.

    Args:
        model: a network; asked in eval mode.
        pixels: float (1, 3, h, w), on its device.
        patches: queries among patches: places from 0 to 1, from above and from the left.
        classes: how many of those that cover most of the prediction are queries of the decoder.

    Raises:
        SegmodelsError: it has no attention that is drawn here, or two places have one name.
    """
    layers, named = attention_layers(model), [Query.patch(at).name for at in patches]
    if twice := [name for name in named if named.count(name) > 1]:
        raise SegmodelsError(
            f"{twice[0]!r} is asked for twice (places count to two digits); name each once."
        )
    grid = patch_grid(model, (pixels.shape[-2], pixels.shape[-1]))
    with inference(), evaluating(model):
        with watching(layers.values()) as seen:
            logits = lowres_logits(model, pixels, "fp32")
        queries = [Query.class_token(), *map(Query.patch, patches)]
        queries += classes_on(model, logits, classes)
        maps: list[AttentionMap] = []
        numbers = {"encoder": 0, "decoder": 0}
        for name, module in layers.items():
            part = "decoder" if name.startswith("decode") else "encoder"
            numbers[part] += 1
            parts = parts_of(module, seen[module].given)
            tokens = tokens_of(part, parts, grid)
            for query in queries:
                place = tokens.place(query)
                if place is not None:
                    found = _looked_at(parts, place, tokens, seen[module].gave)
                    maps.append(AttentionMap(part, numbers[part], query, *found))
    asked = {one.query for one in maps}
    return Attention(maps, [query for query in queries if query in asked])


def _looked_at(
    parts: Parts, place: int, tokens: Tokens, gave: Tensor
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]:
    """Weights on patches (heads, rows, columns), on other tokens (heads,), and the deviation."""
    query = parts.query[:, place : place + 1]
    weights = (query @ parts.key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(dim=-1)
    expected = parts.project((weights @ parts.value).transpose(0, 1).flatten())
    largest = float(gave[0].abs().max())
    deviation = float((expected - gave[0, place]).abs().max()) / max(largest, 1e-30)
    if not deviation <= TOLERANCE:
        raise SegmodelsError(
            f"attention weights computed again give another output than the layer ({deviation:.1e} "
            f"of its largest value); this is a fault of segmodels, please report it."
        )
    rows, columns = tokens.grid
    on_patches = weights[:, 0, tokens.before : tokens.before + rows * columns]
    elsewhere = 1 - on_patches.sum(dim=-1)
    maps = on_patches.reshape(-1, rows, columns).cpu().numpy().astype(np.float32)
    return maps, elsewhere.clamp(min=0).cpu().numpy().astype(np.float32), deviation
