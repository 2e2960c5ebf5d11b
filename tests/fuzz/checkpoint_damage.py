"""What happens to checkpoints on their way: in bytes, in names and tensors, in pickles."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from hypothesis import strategies as st
from mutations import mangled, mutated
from safetensors.torch import save

TEXTS = (".json", ".yml")

#: Words that wrappers and trainings put around weights.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "ema.", "student.", "backbone.", "x.", "..")
NESTS = ("state_dict", "model", "ema_state_dict", "meta", "optimizer", "weights", "", "é", "\n")

#: Names that a pickle may ask for; `{}` becomes the path of a file that nobody may create.
CALLS = (
    b"cos\nsystem\n(S'touch {}'\ntR",
    b'c__builtin__\nexec\n(S\'open("{}","w")\'\ntR',
    b'cbuiltins\neval\n(S\'open("{}","w")\'\ntR',
    b"c__builtin__\nopen\n(S'{}'\nS'w'\ntR",
    b"cpathlib\nPosixPath\n(S'{}'\ntR(S'touch'\ntR",
    b"c__builtin__\ngetattr\n(cpathlib\nPosixPath\n(S'{}'\ntRS'touch'\ntR)R",
    b"cnumpy.core.multiarray\n_reconstruct\n(S'{}'\ntR",
    b"cnumpy\nsave\n(S'{}'\nI1\ntR",
    b"cmmengine.x\ny\n(S'{}'\ntR",
    b"ctorch\nsave\n(I1\nS'{}'\ntR",
    b"ctorch._utils\n_rebuild_tensor_v2\n(I1\nI2\nI3\ntR",
    b"ctorch\nFloatStorage\n(S'{}'\ntR",
    b"ccollections\nOrderedDict\n(I1\ntR",
    b"i__builtin__\nopen\n(S'{}'\nS'w'\nt",
    b"(S'{}'\nS'w'\ni__builtin__\nopen\n",
    b"(c__builtin__\nopen\nS'{}'\nS'w'\no",
    b"\x82\x01",
    b"S'{}'\nQ",
)


def odd_tensors(value: Any) -> list[Any]:
    """What stands where a tensor of weights belongs."""
    plain = isinstance(value, torch.Tensor) and value.dtype is torch.float32
    like = value.detach() if plain and value.device.type == "cpu" else torch.zeros(2, 3)
    like = torch.zeros(2, 3) if like.layout is not torch.strided else like
    flat = like.reshape(-1)
    return [
        like.half(),
        like.bfloat16(),
        like.double(),
        like.to(torch.int8),
        like.bool(),
        like.to(torch.complex64),
        like.to(torch.float8_e4m3fn),
        like.to_sparse(),
        torch.full_like(like, torch.nan, dtype=torch.float32),
        torch.full_like(like, torch.inf, dtype=torch.float32),
        torch.nn.Parameter(like.float()),
        torch.nn.Parameter(like.float()).detach().expand(3, *like.shape),
        like[None],
        flat,
        flat[:0],
        flat[: max(len(flat) // 2, 1)],
        like.T if like.ndim == 2 else flat.flip(0),
        torch.empty_like(like, device="meta"),
        like.float().numpy(),
        np.asarray(like.float().numpy(), dtype=">f8"),
        np.asfortranarray(like.float().numpy()),
        np.array(["text"]),
        np.zeros((2,), dtype=object),
        np.float32(1.5),
        {"inner": like},
        [like],
        (1, 2),
        None,
        True,
        1.5,
        "text",
        b"bytes",
        {1, 2},
        torch.float32,
        torch.Size([1]),
        complex(1, 2),
    ]


def bytes_damaged(data: st.DataObject, content: bytes) -> bytes:
    """A file cut, filled, flipped, doubled or lengthened; most often near its ends."""
    size = len(content)
    near = st.integers(0, min(size, 600)) | st.integers(max(size - 600, 0), size)
    start = data.draw(near | st.integers(0, size))
    end = min(size, start + data.draw(st.sampled_from((1, 2, 8, 64, 4096))))
    how = data.draw(st.sampled_from(("flip", "cut", "zeros", "out", "twice", "more", "set")))
    middle = content[start:end]
    if how == "cut":
        return content[:start]
    if how == "more":
        return content + data.draw(st.binary(max_size=40))
    new = {
        "flip": bytes(one ^ (1 << data.draw(st.integers(0, 7))) for one in middle[:8]),
        "zeros": bytes(len(middle)),
        "out": b"",
        "twice": middle * 2,
        "set": data.draw(st.binary(min_size=1, max_size=8)),
    }[how]
    return content[:start] + new + content[start + max(len(new), len(middle)) * (how != "twice") :]


def text_damaged(data: st.DataObject, path: Path, text: str) -> str:
    """A description of which values or letters are changed."""
    if data.draw(st.booleans()):
        return data.draw(mangled(text))
    if path.suffix == ".json":
        return json.dumps(data.draw(mutated(json.loads(text))))
    tree = yaml.load(text.replace("!!python/tuple", ""), yaml.SafeLoader)
    return yaml.safe_dump(data.draw(mutated(tree)))


def tensors_damaged(data: st.DataObject, content: Any) -> Any:
    """What a file of PyTorch holds, with names and values changed, or put below another key."""
    content = dict(content)
    home = next((key for key in ("state_dict", "model") if key in content), None)
    state = dict(content[home] if home else content)
    for _ in range(data.draw(st.integers(1, 3))):
        state = _one_change(data, state)
    how = data.draw(st.sampled_from(("in place", "alone", "nested", "beside", "prefixed")))
    if how == "prefixed":
        word = data.draw(st.sampled_from(PREFIXES))
        state = {f"{word}{key}": value for key, value in state.items()}
    if how == "alone" or home is None:
        return state
    if how == "nested":
        return {data.draw(st.sampled_from(NESTS)): {**content, home: state}}
    beside = {data.draw(st.sampled_from(NESTS)): data.draw(st.sampled_from((state, 1, [], {})))}
    return {**content, home: state, **(beside if how == "beside" else {})}


def _one_change(data: st.DataObject, state: dict[Any, Any]) -> dict[Any, Any]:
    key = data.draw(st.sampled_from(sorted(state, key=str)))
    how = data.draw(st.sampled_from(("value", "value", "drop", "rename", "add", "none")))
    if how == "value":
        return {**state, key: data.draw(st.sampled_from(odd_tensors(state[key])))}
    if how == "none":
        return {name: state[name] for name in list(state)[: data.draw(st.integers(1, 5))]}
    rest = {name: value for name, value in state.items() if name != key}
    if how == "drop":
        return rest or state
    name = data.draw(st.sampled_from((f"{key}x", "", 3, None, f"ema.{key}", "a\nb", "x" * 300)))
    return {**(rest if how == "rename" else state), name: state[key]}


def saved(data: st.DataObject, content: Any) -> bytes:
    """A content in one of the containers of PyTorch, of safetensors or of plain pickle."""
    stream = io.BytesIO()
    how = data.draw(st.sampled_from(("zip", "legacy", "4", "5", "safetensors", "packed", "pickle")))
    try:
        if how == "safetensors":
            return save({str(key): value for key, value in content.items()})
        if how == "pickle":
            return pickle.dumps(content)
        options: dict[str, Any] = {"4": {"pickle_protocol": 4}, "5": {"pickle_protocol": 5}}.get(
            how, {"_use_new_zipfile_serialization": how != "legacy"}
        )
        torch.save(content, stream, **options)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        stream = io.BytesIO()
        torch.save({"kept": 1}, stream)
    return _packed(stream.getvalue()) if how == "packed" else stream.getvalue()


def _packed(content: bytes) -> bytes:
    """The same zip archive, its records deflated."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return stream.getvalue()


def pickle_damaged(data: st.DataObject, content: bytes, canary: Path) -> bytes:
    """A file of PyTorch whose instructions are changed and whose checksums fit them."""
    call = data.draw(st.sampled_from(CALLS)).replace(b"{}", bytes(canary)) + b"0"
    if content[:2] != b"PK":
        return _instructions(data, content, call)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            record = old.read(name)
            if name.endswith("/data.pkl"):
                record = _instructions(data, record, call)
            elif data.draw(st.integers(0, 9)) == 0:
                record = data.draw(st.sampled_from((b"", record[:-4], record * 2)))
            new.writestr(data.draw(st.sampled_from((name,) * 9 + (f"../{name}",))), record)
    return stream.getvalue()


def _instructions(data: st.DataObject, pickled: bytes, call: bytes) -> bytes:
    """A call put in, or a few bytes of instructions changed."""
    how = data.draw(st.sampled_from(("call first", "call last", "only call", "bytes", "deep")))
    if how == "call first":
        return pickled[:2] + call + pickled[2:]
    if how == "call last":
        return pickled[:-1] + b"0" + call[:-1] + b"."
    if how == "only call":
        return b"\x80\x02" + call[:-1] + b"."
    if how == "deep":
        return b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."
    at = data.draw(st.integers(0, len(pickled) - 1))
    new = data.draw(st.binary(min_size=1, max_size=4) | st.just(struct.pack("<I", 2**31)))
    return pickled[:at] + new + pickled[at + len(new) :]
