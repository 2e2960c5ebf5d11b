"""Counting: a label map and a prediction give an integer matrix, exactly.

A matrix is int64 with rows = ground truth and columns = prediction. Evidence uses the taller
form `(classes + 1, outputs)`: its last row counts void ground truth, and it has one column per
output of the network, which may know more classes than are scored.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from typing import Any, TypeGuard

import cv2
import numpy as np
import numpy.typing as npt

from segmodels.core.arguments import MOST_CLASSES, whole, wrong
from segmodels.core.arrays import VOID, Counts, Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation.pending import Deferred, Pending

#: A NumPy array of any integer type, or a torch tensor on any device.
Labels = Any

# OpenCV hands counts over as float32, in which every integer up to 2**24 is exact: no cell of
# a histogram over that many pixels can reach a value that is rounded. Larger maps are counted
# in pieces that are added up in int64.
_EXACT = 2**24

_BYTE = 256

# Where fewer than this share of pixels differ from the one before (about 0.03 in label maps of
# photographs), counting them out of their order is faster.
_FEW = 0.1
_SNIPPET = 64

_MEMORY = threading.local()


def confusion_matrix(
    label: Labels, prediction: Labels, num_classes: int, ignore_index: int = VOID
) -> Counts:
    """Count pixel pairs of one image.

    Args:
        label: ground truth, any integer type and shape, values 0..num_classes-1 or `ignore_index`.
        prediction: same shape, values 0..num_classes-1.
        num_classes: number of classes C.
        ignore_index: ground truth value whose pixels are left out; any integer.

    Returns:
        int64 (C, C), rows = ground truth, columns = prediction. Tensors are counted on their
        device and only the matrix leaves it.

    Raises:
        SegmodelsError: shapes differ or a value lies outside its range.
    """
    num_classes = whole("num_classes", num_classes, 1, MOST_CLASSES)
    ignore_index = whole("ignore_index", ignore_index)
    return count_pairs(label, prediction, num_classes, num_classes, ignore_index)[:num_classes]


def count_pairs(
    label: Labels, prediction: Labels, num_classes: int, num_outputs: int, ignore_index: int = VOID
) -> Counts:
    """Count pixel pairs, keeping void ground truth in a last row.

    Returns:
        int64 (num_classes + 1, num_outputs).

    Raises:
        SegmodelsError: shapes differ or a value lies outside its range.
    """
    return begin_to_count(label, prediction, num_classes, num_outputs, ignore_index).result()


def begin_to_count(
    label: Labels, prediction: Labels, num_classes: int, num_outputs: int, ignore_index: int = VOID
) -> Pending[Counts]:
    """`count_pairs` in two steps: a GPU counts while Python goes on.

    Returns:
        whose `result` is that of `count_pairs`, and raises what it raises.
    """
    label, prediction = _integers("label", label), _integers("prediction", prediction)
    if label.shape != prediction.shape:
        shapes = f"label is {tuple(label.shape)} but prediction is {tuple(prediction.shape)}"
        raise SegmodelsError(f"{shapes}.")
    how = (num_classes, num_outputs, ignore_index)
    if _is_tensor(prediction):
        return _begin_on_device(label, prediction, *how)
    if _is_tensor(label):
        label = label.cpu().numpy()
    return Deferred(partial(_count_arrays, label, prediction, *how))


def _count_arrays(
    label: npt.NDArray[Any],
    prediction: npt.NDArray[Any],
    num_classes: int,
    num_outputs: int,
    ignore_index: int,
) -> Counts:
    counted = None
    if max(num_classes, num_outputs) <= _BYTE:
        counted = _count_bytes(label, prediction, num_classes, num_outputs, ignore_index)
    if counted is None:  # values that fit no byte, or are out of range and want to be named
        _check_range("prediction", prediction, num_outputs, None)
        _check_range("label", label, num_classes, ignore_index)
        counted = _count_integers(label, prediction, num_classes, num_outputs, ignore_index)
    return counted


def _integers(what: str, values: Labels) -> Labels:
    """An array of integers, or a tensor of them that lies on a device."""
    if _is_tensor(values):
        if values.is_floating_point() or values.is_complex():
            raise SegmodelsError(f"{what} must hold integers, not {values.dtype}.")
        if values.device.type != "cpu":
            return values
        values = values.numpy()
    if isinstance(values, np.ma.MaskedArray):
        fix = "Give what is masked the label that is ignored: .filled(255)."
        raise wrong(what, "whole numbers without a mask", values, fix)
    try:
        found: npt.NDArray[Any] = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):  # lists of different lengths
        raise wrong(what, "whole numbers, an array of any shape", values) from None
    if found.dtype == np.bool_:
        return found.view(np.uint8)
    if found.size and found.dtype.kind not in "iu":
        raise SegmodelsError(f"{what} must hold integers, not {found.dtype}.")
    return found


def _count_bytes(
    label: npt.NDArray[Any],
    prediction: npt.NDArray[Any],
    classes: int,
    outputs: int,
    ignore_index: int,
) -> Counts | None:
    """Counts of maps whose values fit a byte; None for others, and when a value is out of range.

    All pairs of 256 labels and the outputs are counted, and what is neither a class nor void is
    dropped. So a sum below the number of pixels tells of stray values, and nothing else has to
    look at the pixels for them.
    """
    rows, void = _bytes(label), ignore_index
    if rows is None and ignore_index == -1 and label.min() == -1 and label.max() < VOID:
        rows, void = label.astype(np.uint8), VOID
    columns = _bytes(prediction)
    if rows is None or columns is None:
        return None
    rows, columns = rows.reshape(-1), columns.reshape(-1)
    pieces = [
        _matrix(
            _histogram(rows[start : start + _EXACT], columns[start : start + _EXACT], outputs),
            classes,
            void,
        )
        for start in range(0, max(label.size, 1), _EXACT)
    ]
    counted = pieces[0] if len(pieces) == 1 else np.sum(pieces, axis=0)
    return counted if int(counted.sum()) == label.size else None


def _matrix(pairs: npt.NDArray[Any], classes: int, void: int) -> Counts:
    """The rows of classes and of void, in integers."""
    counted = np.empty((classes + 1, pairs.shape[1]), dtype=np.int64)
    counted[:classes] = pairs[:classes]
    counted[classes] = pairs[void] if 0 <= void < _BYTE else 0
    if 0 <= void < classes:  # also the number of a class
        counted[void] = 0
    return counted


def _bytes(values: npt.NDArray[Any]) -> Pixels | None:
    """The same values as uint8, or None if they do not fit."""
    if values.dtype == np.uint8:
        return values
    if not values.size:
        return values.astype(np.uint8)
    unsigned = values.view(values.dtype.str.replace("i", "u"))  # negative ones become large
    fits = int(unsigned.max()) <= min(_BYTE - 1, np.iinfo(values.dtype).max)
    return values.astype(np.uint8) if fits else None


def _histogram(label: Pixels, prediction: Pixels, outputs: int) -> npt.NDArray[Any]:
    """Pixels of every pair of a label (0..255) and an output: whole numbers, (256, outputs)."""
    if label.size < 4 or not _is_smooth(label, prediction):
        return _joint([label[None], prediction[None]], outputs)
    pair = [_quarters_in_turn("label", label), _quarters_in_turn("prediction", prediction)]
    counted = _joint(pair, outputs)
    rest = pair[0].size
    for row, column in zip(label[rest:], prediction[rest:], strict=True):
        if column < outputs:
            counted[row, column] += 1
    return counted


def _joint(pair: list[Pixels], outputs: int) -> npt.NDArray[Any]:
    """OpenCV's histogram of pairs, (256, outputs), until this thread counts again."""
    memory = _reused("histogram", _BYTE * outputs, np.float32).reshape(_BYTE, outputs)
    sizes, ranges = [_BYTE, outputs], [0, _BYTE, 0, outputs]
    return np.asarray(cv2.calcHist(pair, [0, 1], None, sizes, ranges, memory))


def _is_smooth(label: Pixels, prediction: Pixels) -> bool:
    """Whether neighbours are mostly equal, from 16 snippets of the maps."""
    snippets = [
        one[: one.size // 16 * 16].reshape(16, -1)[:, :_SNIPPET] for one in (label, prediction)
    ]
    changes = sum(int(np.count_nonzero(one[:, 1:] != one[:, :-1])) for one in snippets)
    return changes < _FEW * snippets[0].size


def _quarters_in_turn(name: str, values: Pixels) -> Pixels:
    """A pixel from each quarter of the map in turn, without up to 3 pixels at the end.

    A processor that adds to one cell many times in a row waits for itself every time; pixels
    far apart are mostly in different cells.
    """
    quarter = values.size // 4
    parts = [values[None, i * quarter : (i + 1) * quarter] for i in range(4)]
    memory = _reused(name, 4 * quarter, np.uint8).reshape(1, quarter, 4)
    return np.asarray(cv2.merge(parts, memory), dtype=np.uint8).reshape(1, -1)


def _reused(name: str, size: int, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Memory of this thread, as the last count left it.

    The system clears new memory page by page, which takes a good part of the counting's time.
    """
    memory: npt.NDArray[Any] | None = getattr(_MEMORY, name, None)
    if memory is None or memory.size < size:
        memory = np.empty(size, kind)
        setattr(_MEMORY, name, memory)
    return memory[:size]


def _count_integers(
    label: npt.NDArray[Any],
    prediction: npt.NDArray[Any],
    classes: int,
    outputs: int,
    ignore_index: int,
) -> Counts:
    rows = label.astype(np.int64)
    rows[label == ignore_index] = classes
    cells = rows.ravel() * outputs + prediction.ravel().astype(np.int64)
    counted = np.bincount(cells, minlength=(classes + 1) * outputs)
    return counted.reshape(classes + 1, outputs).astype(np.int64)


def _check_range(what: str, values: npt.NDArray[Any], limit: int, spare: int | None) -> None:
    stray = sorted({int(v) for v in np.unique(values)} - set(range(limit)) - {spare})
    if stray:
        listed = ", ".join(map(str, stray[:5]))
        raise SegmodelsError(f"{what} holds {listed}, outside the classes 0..{limit - 1}.")


def _is_tensor(values: Any) -> TypeGuard[Any]:
    torch = sys.modules.get("torch")  # who has not imported it has no tensor
    return torch is not None and isinstance(values, torch.Tensor)


def _begin_on_device(
    label: Any, prediction: Any, classes: int, outputs: int, ignore_index: int
) -> Pending[Counts]:
    """Count where the prediction is: integers are added in int64, in whatever order.

    A last cell takes what is out of range. Python waits for nothing here, as it would for the
    length of what `bincount` gives, or to know whether all values are in range.
    """
    import torch

    from segmodels.evaluation.device import arriving, to_device

    size = (classes + 1) * outputs
    rows, columns = to_device(label, prediction.device).long(), prediction.long()
    void = rows == ignore_index
    known = (void | ((rows >= 0) & (rows < classes))) & (columns >= 0) & (columns < outputs)
    cells = torch.where(void, classes, rows) * outputs + columns
    cells = torch.where(known, cells, size).flatten()
    counted = torch.zeros(size + 1, dtype=torch.int64, device=prediction.device)
    arrived = arriving(counted.scatter_add_(0, cells, torch.ones_like(cells)))

    def finish() -> Counts:
        found: Counts = arrived.result().numpy()
        if found[size]:
            _check_range("prediction", columns.cpu().numpy(), outputs, None)
            _check_range("label", rows.cpu().numpy(), classes, ignore_index)
        return found[:size].reshape(classes + 1, outputs)

    return Deferred(finish)
