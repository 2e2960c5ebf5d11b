"""Pickles of every protocol hold the same values; nothing in them runs meanwhile."""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segmodels.checkpoints import load_checkpoint
from segmodels.checkpoints.pickles import rewritten
from segmodels.checkpoints.readers import read_torch
from segmodels.errors import SegmodelsError
from segmodels.models import create_model

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=300)
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner), max_leaves=4)
VALUES = st.recursive(
    SCALARS | st.sets(HASHABLE, max_size=5) | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4).map(OrderedDict)
        | inner.map(lambda value: [value, value, {"again": value}])
    ),
)
LATER = {"FRAME", "MEMOIZE", "STACK_GLOBAL", "SHORT_BINUNICODE", "EMPTY_SET", "BYTEARRAY8"}


@given(VALUES, st.sampled_from([1, 3, 4, 5]))
def test_the_values_are_the_same_under_protocol_2(value: Any, protocol: int) -> None:
    data = rewritten(io.BytesIO(pickle.dumps(value, protocol)))
    found = pickle.loads(data)
    assert found == value
    assert type(found) is type(value)
    assert not LATER & {step.name for step, _, _ in pickletools.genops(data)}


def test_what_is_one_object_stays_one_object() -> None:
    shared: list[Any] = [{1, 2}]
    first, second, third = pickle.loads(
        rewritten(io.BytesIO(pickle.dumps([shared, shared, shared[0]], 4)))
    )
    assert first is second
    assert first[0] is third


def test_sets_of_several_batches_end_where_they_end() -> None:
    value = [set(range(2500)), (1, 2), set(), (3,), {"a": {4}}]
    assert pickle.loads(rewritten(io.BytesIO(pickle.dumps(value, 4)))) == value


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_checkpoint_of_every_protocol_loads(tmp_path, images, protocol, legacy) -> None:
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=5).eval()
    path, zipped = tmp_path / "weights.pth", not legacy
    content = {
        "meta": {"CLASSES": tuple("abcde"), "seen": {1, 2}, "bytes": b"\xff", "seed": np.int64(3)},
        "state_dict": model.state_dict(),
    }
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_checkpoint(path)
    assert loaded.class_names == tuple("abcde")
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))


class _Bomb:
    def __reduce__(self) -> Any:
        return (open, ("exploded.txt", "w"))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_code_is_refused_under_every_protocol(tmp_path, monkeypatch, protocol, legacy) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.pth"
    torch.save(
        {"hub": np.zeros(2), "bomb": _Bomb()},
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(SegmodelsError, match=r"could run code \(it asks for .*open\)"):
        read_torch(path)
    assert not (tmp_path / "exploded.txt").exists()


@pytest.mark.parametrize(("value", "name"), [(frozenset({1}), "FROZENSET"), (10**1000, "LONG4")])
def test_what_has_no_older_form_is_refused_by_name(tmp_path, value, name) -> None:
    path = tmp_path / "odd.pth"
    torch.save({"state_dict": {}, "odd": value}, path, pickle_protocol=4)
    with pytest.raises(SegmodelsError, match=rf"odd\.pth is pickled in a way .*{name}") as caught:
        read_torch(path)
    assert "ownload" not in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("by_columns", [False, True])
def test_arrays_of_numpy_are_weights_too(tmp_path, images, protocol, by_columns) -> None:
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=5).eval()
    order: Any = "F" if by_columns else "C"
    arrays = {
        key: np.array(value.numpy(), order=order) for key, value in model.state_dict().items()
    }
    path = tmp_path / "arrays.pth"
    torch.save({"state_dict": arrays}, path, pickle_protocol=protocol)
    loaded = load_checkpoint(path)
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a"]), r"no plain numbers \(type 'U1'\)"),
        (np.array([object()]), "could run code"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "no plain numbers"),
        (np.zeros(2, dtype="int32"), "holds int32"),
        (np.zeros(2, dtype=complex), "holds complex128"),
        (np.zeros(2, dtype=bool), "holds bool"),
    ],
)
def test_other_arrays_are_refused_by_the_tensor_s_name(tmp_path, array, message) -> None:
    state: dict[str, Any] = dict(create_model("segformer_nano", num_classes=5).state_dict())
    state["decode_head.linear_pred.bias"] = array
    torch.save({"state_dict": state}, tmp_path / "arrays.pth")
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_checkpoint(tmp_path / "arrays.pth")
    assert "linear_pred.bias" in str(caught.value) or "run code" in message


def test_an_array_whose_bytes_do_not_fill_its_shape_is_refused() -> None:
    from segmodels.checkpoints.arrays import Array, ArrayType

    kind = ArrayType("f4")
    for shape, data in (((3,), b"\0" * 8), ((-1,), b""), ("wide", b""), ((2,), None)):
        array = Array()
        array.__setstate__((1, shape, kind, False, data))
        with pytest.raises(ValueError, match="do not fill its shape"):
            array.tensor()


def test_numbers_of_the_other_order_of_bytes(tmp_path: Path) -> None:
    torch.save({"x": np.arange(3, dtype=">f4")}, tmp_path / "a.pth")
    assert read_torch(tmp_path / "a.pth")["x"].tensor().tolist() == [0.0, 1.0, 2.0]
