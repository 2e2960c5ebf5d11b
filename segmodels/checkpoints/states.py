"""Which tensors of a file are the weights, and what they are called without wrappers.

Training programs put a state dict below a key (``state_dict``, ``model``), and each wrapper around
a network puts a word in front of its names: ``module.`` (DataParallel), ``_orig_mod.``
(torch.compile), ``model.`` or ``net.`` (Lightning). Such words are dropped, and so are the buffers
of losses and measures that Lightning keeps beside the network (``criterion.weight`` beside
``model.…``). Weights averaged during the training (EMA, SWA) may lie beside those of the last step;
which of the two a published number belongs to is in no file, so two sets are refused by their
names. One rule is certain: mmengine swaps both on saving, so that its ``state_dict`` is the
average, as its own evaluation reads it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segmodels.checkpoints.arrays import Array, Inert
from segmodels.core.stand_ins import printable
from segmodels.errors import SegmodelsError, shown

logger = logging.getLogger(__name__)

#: Keys under which training programs put the weights.
KEYS = (
    "state_dict",
    "model",
    "model_state_dict",
    "model_state",
    "network",
    "net",
    "module",
    "weights",
    "student",
)

#: Words that name a set of averaged weights, or one of two networks trained together.
AVERAGED = re.compile(r"(?:.*[_.])?(ema|swa|averaged?|averaging|teacher|shadow)(?:[_\d.].*)?", re.I)

#: Keys of what a training keeps beside the weights.
TRAINING = re.compile(r"optim|sched|scaler|loss|criterion|rng|random|meta|hparams", re.I)

#: Words that wrappers put in front of all names, and those that they put anywhere.
IN_FRONT = ("module", "model", "net", "network", "_forward_module")
ANYWHERE = re.compile(
    r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|module)\."
)

#: Words before buffers of what a training keeps beside the network: losses and measures.
ASIDE = re.compile(
    r"(?:.*_)?(?:loss(?:es|_?fn)?|criteri(?:on|a)|metrics?|m?iou|jaccard|dice|confmat|acc(?:uracy)?)"
    r"(?:_.*|\d*)?",
    re.I,
)

#: Counters of averaging that lie among the tensors.
COUNTERS = ("n_averaged", "steps")

#: Numbers that a network counts or looks up with; all else must be weights.
WHOLE = re.compile(r"(.*\.)?(num_batches_tracked|relative_position_index|position_ids)")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def chosen(path: Path, content: Any) -> Any:
    """The state dict of a file: below one of the known keys, or all of the file.

    Raises:
        SegmodelsError: there are two, and nothing says which is meant; both are named.
    """
    if not isinstance(content, Mapping):
        return content
    plain = [key for key in KEYS if isinstance(content.get(key), Mapping) and content[key]]
    averaged = _averaged(content)
    if plain == ["state_dict"] and averaged == ["ema_state_dict"] and "message_hub" in content:
        return content["state_dict"]
    found = [*plain, *averaged]
    if not plain and not any(isinstance(value, (Tensor, Array)) for value in content.values()):
        found += [key for key, value in content.items() if _is_other(key, value)]
    if len(found) > 1:
        raise SegmodelsError(_two_sets(path, found))
    return content.get(found[0], content) if found else content


def _averaged(content: Mapping[Any, Any]) -> list[str]:
    """Where averaged weights lie, as dotted keys: at the top, or in Lightning's callbacks."""
    found = [key for key, value in content.items() if _is_averaged(key, value)]
    for key in ("callbacks", "optimizer_states", "loops"):
        found += _nested(content.get(key), key, depth=3)
    return found


def _is_averaged(key: Any, value: Any) -> bool:
    named = isinstance(key, str) and AVERAGED.fullmatch(key) is not None
    return named and (_holds_tensors(value) or type(value) is Inert)


def _is_other(key: Any, value: Any) -> bool:
    """Whether named tensors lie below a key that neither is known nor tells of a training."""
    if not isinstance(value, Mapping) or not isinstance(key, str):
        return False
    tensors = [name for name, item in value.items() if isinstance(item, (Tensor, Array))]
    return len(tensors) > 1 and not _is_averaged(key, value) and TRAINING.search(key) is None


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(isinstance(item, (Tensor, Array, Mapping)) for item in value.values())
    return isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value)


def _nested(values: Any, name: str, depth: int) -> list[str]:
    if depth == 0:
        return []
    listed = dict(enumerate(values)) if isinstance(values, (list, tuple)) else values
    found = []
    for key, value in listed.items() if isinstance(listed, Mapping) else ():
        if _is_averaged(key, value) and not isinstance(value, Inert):
            found.append(f"{name}.{key}")
        else:
            found += _nested(value, f"{name}.{key}", depth - 1)
    return found


def _two_sets(path: Path, found: list[str]) -> str:
    names = " and ".join(map(shown, found))
    return (
        f"{path} holds {len(found)} sets of weights, {names}, and does not say which of them a "
        f"number belongs to (averaged weights score otherwise than the last ones). Save the one "
        f"that is meant alone: "
        f"torch.save({{'state_dict': torch.load(FILE)[{shown(found[-1])}]}}, NEW)."
    )


def unwrapped(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Each name of a state dict, and what it is without the words of wrappers.

    Raises:
        SegmodelsError: two sets lie in one state dict; both are named.
    """
    _check_one_set(path, names := list(names))
    aside = set(_beside(names))
    ours = {name: ANYWHERE.sub("", name) for name in names if name not in {*COUNTERS, *aside}}
    while (word := _word(ours.values())) is not None:
        ours = {name: rest.removeprefix(f"{word}.") for name, rest in ours.items()}
    twice = _first_repeated(ours)
    if twice:
        raise SegmodelsError(
            f"{path} holds two sets of weights in one state dict: "
            f"{' and '.join(map(printable, twice))} are the same tensor under two names. "
            f"Save the one that is meant alone."
        )
    return ours


def _beside(names: Iterable[str]) -> list[str]:
    """Buffers of losses and measures, where a wrapper's word stands before all other names."""
    firsts = {name: name.partition(".")[0] for name in names}
    aside = [name for name, first in firsts.items() if ASIDE.fullmatch(first) and "." in name]
    others = [name for name in firsts if name not in set(aside)]
    return aside if others and _word(others) else []


def _word(names: Iterable[str]) -> str | None:
    """The word of a wrapper that stands in front of every name."""
    firsts = {name.partition(".")[0] if "." in name else None for name in names}
    word = firsts.pop() if len(firsts) == 1 else None
    return word if word in IN_FRONT or (word and AVERAGED.fullmatch(word)) else None


def _first_repeated(ours: Mapping[str, str]) -> tuple[str, str] | None:
    seen: dict[str, str] = {}
    for name, ending in ours.items():
        if ending in seen:
            return seen[ending], name
        seen[ending] = name
    return None


def _check_one_set(path: Path, names: list[str]) -> None:
    """Refuse averaged tensors beside others: ``model_ema.…`` beside ``model.…``, or ``ema_…``."""
    weights = [name for name in names if name not in COUNTERS]
    averaged = [name for name in weights if AVERAGED.fullmatch(name.partition(".")[0])]
    others = [name for name in weights if name not in set(averaged)]
    if averaged and others:
        raise SegmodelsError(
            f"{path} holds two sets of weights in one state dict: {len(averaged)} averaged tensors "
            f"({printable(averaged[0])}, …) beside {len(others)} others "
            f"({printable(others[0])}, …). It does not say which of them a "
            f"number belongs to; save the one that is meant alone."
        )


def tensors_of(path: Path, values: Any, what: str = "state dict") -> dict[str, Tensor]:
    """A mapping checked to hold nothing but named weights, without the words of wrappers.

    Numbers of 16 and 64 bits are taken; the network computes with them as float32. Plain arrays
    of NumPy become tensors.

    Raises:
        SegmodelsError: it is something else; the tensor is named.
    """
    if not isinstance(values, Mapping) or not values:
        raise SegmodelsError(f"{path}: its {what} is not a mapping of names to tensors.")
    names = [key for key in values if isinstance(key, str)]
    ours = unwrapped(path, names)
    for name in _beside(names):
        logger.info("%s: %s is of a loss or a measure, and left out.", path, printable(name))
    left = {key: value for key, value in values.items() if key in ours or key not in names}
    found = {key: _tensor(path, what, key, value) for key, value in left.items()}
    return {ours[key]: value for key, value in found.items()}


def _tensor(path: Path, what: str, key: Any, value: Any) -> Tensor:
    if isinstance(value, Array):
        try:
            value = value.tensor()
        except ValueError as error:
            raise SegmodelsError(f"{path}: its {what} holds {shown(key)}, {error}.") from error
    if not isinstance(key, str) or not isinstance(value, Tensor):
        kind = "an object" if isinstance(value, Inert) else f"a {type(value).__name__}"
        raise SegmodelsError(f"{path}: its {what} holds {shown(key)}, {kind} and not a tensor.")
    check_weights(path, key, value)
    return value


def check_weights(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse a tensor whose numbers are no weights.

    Raises:
        SegmodelsError: it is of whole numbers, truth values, complex, quantised, of 8 bits, sparse,
            or has no values at all.
    """
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_meta:
        problem = "has a shape and no values (it was saved on the device 'meta')"
    elif tensor.is_quantized:
        problem = f"is quantised ({kind})"
    elif tensor.layout is not torch.strided:
        problem = "is sparse"
    elif tensor.dtype in FLOATS or (tensor.dtype in INTEGERS and _is_counter(name, tensor)):
        return
    else:
        problem = f"holds {kind}"
    raise SegmodelsError(
        f"{path}: the tensor {shown(name)} {problem}; weights are float16, bfloat16, float32 or "
        f"float64 here. Give the file as it was before it was converted."
    )


def _is_counter(name: str, tensor: Tensor) -> bool:
    return WHOLE.fullmatch(name) is not None or (name in COUNTERS and tensor.ndim == 0)
