"""Pickles of any protocol, written in the instructions of protocol 2.

PyTorch's safe reader knows the instructions that ``torch.save`` writes by default and no others,
so a file saved with ``pickle_protocol=4`` is refused by it although nothing in it is unsafe. Here
such instructions are exchanged for older ones that build the same values. Nothing is built or
looked up meanwhile; whether a name may be used is still for PyTorch's reader to say.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: What PyTorch's reader knows and what needs no change.
KEPT = frozenset(
    {
        *("NEWOBJ", "REDUCE", "BUILD", "GLOBAL", "BINPERSID", "MARK", "STOP"),
        *("APPEND", "APPENDS", "SETITEM", "SETITEMS", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("NONE", "NEWFALSE", "NEWTRUE", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT"),
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINSTRING"),
    }
)
TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE")
BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8")
MARKED = ("TUPLE", "APPENDS", "SETITEMS", "ADDITEMS", "LIST", "DICT", "FROZENSET", "POP_MARK")

#: Pickles in PyTorch's format before 1.6 ahead of the numbers: magic number, version, system,
#: content, and the keys of the storages.
LEGACY_PICKLES = 5


class UnknownInstructionError(ValueError):
    """An instruction for which protocol 2 has no other, by its name in ``pickletools``."""


class _Step(NamedTuple):
    name: str
    argument: Any
    raw: bytes


def as_protocol_2(path: Path) -> Path | io.BytesIO:
    """The file itself if its protocol is 2, otherwise a copy in memory whose protocol is.

    Raises:
        UnknownInstructionError: an instruction cannot be exchanged.
        Exception: those of ``zipfile`` and ``pickletools``, for a broken file.
    """
    if zipfile.is_zipfile(path):
        return _zipped(path)
    with path.open("rb") as file:
        if file.read(2) == b"\x80\x02":
            return path
    stream = io.BytesIO(path.read_bytes())
    parts = [rewritten(stream) for _ in range(LEGACY_PICKLES)]
    return io.BytesIO(b"".join(parts) + stream.read())


def _zipped(path: Path) -> Path | io.BytesIO:
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as archive:
        if all(archive.read(name)[:2] == b"\x80\x02" for name in pickles_of(archive)):
            return path
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
            for name in archive.namelist():
                data = archive.read(name)
                is_pickle = name.endswith("/data.pkl")
                target.writestr(name, rewritten(io.BytesIO(data)) if is_pickle else data)
    copy.seek(0)
    return copy


def pickles_of(archive: zipfile.ZipFile) -> list[str]:
    """Names of the pickles in a file of PyTorch since 1.6; there is one."""
    return [name for name in archive.namelist() if name.endswith("/data.pkl")]


def rewritten(stream: io.BytesIO) -> bytes:
    """One pickle, from where the stream stands, in the instructions of protocol 2."""
    return _Rewriter(list(_steps(stream))).written()


def _steps(stream: io.BytesIO) -> Iterator[_Step]:
    start, view = stream.tell(), stream.getbuffer()
    found = [(step.name, argument, at) for step, argument, at in pickletools.genops(stream)]
    ends = [at for _, _, at in found[1:]] + [stream.tell()]
    if found and found[0][2] != start:  # positions count from where genops began
        raise ValueError("positions are not those of the stream")
    for (name, argument, at), end in zip(found, ends, strict=True):
        yield _Step(name, argument, bytes(view[at:end]))


class _Rewriter:
    """Goes through the instructions once.

    Texts are held back until it is clear what they are for: protocol 4 names a global by two of
    them. They are not noted in the memo but written again wherever it is asked for one.
    """

    def __init__(self, steps: list[_Step]) -> None:
        self.steps = steps
        self.out = bytearray(b"\x80\x02")
        self.held: list[str] = []
        self.texts: dict[int, str] = {}
        self.noted: set[int] = set()
        self.sets: list[int | None] = []
        self.closed_by = _closers(steps)

    def written(self) -> bytes:
        """The whole pickle."""
        for index, step in enumerate(self.steps):
            self._step(step)
            self._finish_sets(index)
        return bytes(self.out)

    def _step(self, step: _Step) -> None:
        name, argument = step.name, step.argument
        if name in TEXTS:
            self.held.append(argument)
        elif name == "MEMOIZE" or name.endswith("PUT"):
            self._note(len(self.noted) if name == "MEMOIZE" else int(argument))
        elif name.endswith("GET"):
            self._get(int(argument))
        elif name == "STACK_GLOBAL":
            self._global()
        elif name not in ("PROTO", "FRAME"):
            self._flush()
            self._value(step)

    def _value(self, step: _Step) -> None:
        name, argument = step.name, step.argument
        if name in KEPT:
            self.out += step.raw
        elif name in BYTES:
            self._bytes(argument)
        elif name == "BYTEARRAY8":
            self.out += b"c__builtin__\nbytearray\n"
            self._bytes(bytes(argument))
            self.out += b"\x85R"
        elif name in ("INT", "LONG") and isinstance(argument, bool):
            self.out += b"\x88" if argument else b"\x89"
        elif name in ("INT", "LONG", "LONG4"):
            data = pickle.encode_long(argument)
            if len(data) > 255:
                raise UnknownInstructionError(name)
            self.out += b"\x8a" + bytes([len(data)]) + data
        elif name == "FLOAT":
            self.out += b"G" + struct.pack(">d", argument)
        elif name == "EMPTY_SET":
            self.out += b"c__builtin__\nset\n]"
            self.sets.append(None)
        elif name == "ADDITEMS":
            self.out += b"e"
        else:
            raise UnknownInstructionError(name)

    def _bytes(self, data: bytes) -> None:
        """As protocol 2 has them: text that is encoded when it is read."""
        self.out += b"c_codecs\nencode\n" + _text(data.decode("latin-1")) + _text("latin1")
        self.out += b"\x86R"

    def _note(self, number: int) -> None:
        self.noted.add(number)
        if self.held:
            self.texts[number] = self.held[-1]
        elif self.sets and self.out.endswith(b"c__builtin__\nset\n]"):
            self.sets[-1] = number  # the set is there only once its items are
        else:
            self.texts.pop(number, None)
            self._put(number)

    def _put(self, number: int) -> None:
        small = number < 256
        self.out += b"q" + bytes([number]) if small else b"r" + struct.pack("<I", number)

    def _get(self, number: int) -> None:
        if number in self.texts:
            self.held.append(self.texts[number])
            return
        self._flush()
        self.out += b"h" + bytes([number]) if number < 256 else b"j" + struct.pack("<I", number)

    def _global(self) -> None:
        if len(self.held) < 2 or any("\n" in text for text in self.held[-2:]):
            raise UnknownInstructionError("STACK_GLOBAL")
        name, module = self.held.pop(), self.held.pop()
        self._flush()
        self.out += f"c{module}\n{name}\n".encode()

    def _flush(self) -> None:
        for text in self.held:
            self.out += _text(text)
        self.held.clear()

    def _finish_sets(self, index: int) -> None:
        """Make a set of its items after the last of them; they come in batches.

        A set lies in no other, since nothing that holds one can be in a set.
        """
        if not self.sets or not self._ends_a_set(index):
            return
        number = self.sets.pop()
        self.out += b"\x85R"
        if number is not None:
            self._put(number)

    def _ends_a_set(self, index: int) -> bool:
        last = self.steps[index].name
        noted = last == "MEMOIZE" or last.endswith("PUT")
        before = self.steps[index - 1].name if noted and index else last
        if before != "EMPTY_SET" and last != "ADDITEMS":
            return False
        following = self.steps[index + 1].name if index + 1 < len(self.steps) else ""
        if following == "MEMOIZE" or following.endswith("PUT"):
            return False
        return self.closed_by.get(index + 1) != "ADDITEMS"


def _closers(steps: list[_Step]) -> dict[int, str]:
    """For each mark, by its place, which instruction takes what stands behind it."""
    marks, found = [], {}
    for index, step in enumerate(steps):
        if step.name == "MARK":
            marks.append(index)
        elif step.name in MARKED and marks:
            found[marks.pop()] = step.name
    return found


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data
