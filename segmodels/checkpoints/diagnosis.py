"""What a file is, told from its first bytes and its structure, and what helps if no weights.

One cause, one diagnosis. "Download it again" stands only where another download can help.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Literal

from segmodels.core.stand_ins import page, pointer, printable, text_of
from segmodels.core.zips import refuse_bomb

Kind = Literal["torch", "safetensors", "npz"]

AGAIN = "Download it again."
HEAD = 4096

#: Beginnings that say everything.
BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras and TensorFlow write weights"),
    (b"GGUF", "is a GGUF file, as llama.cpp reads it"),
    (b"\x93NUMPY", "is a single array of NumPy (.npy)"),
    (b"MATLAB 5.0", "is a MATLAB file"),
    (b"\x89PNG\r\n", "is a PNG image"),
    (b"\xff\xd8\xff", "is a JPEG image"),
    (b"GIF8", "is a GIF image"),
    (b"II*\0", "is a TIFF image"),
    (b"MM\0*", "is a TIFF image"),
    (b"%PDF", "is a PDF document"),
    (b"\x7fELF", "is a program"),
)
NOT_OURS = (
    "Known here are files of PyTorch, safetensors and AugReg's .npz; convert the weights first."
)

#: Beginnings of archives that hold files.
ARCHIVES: tuple[tuple[bytes, str], ...] = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b", "gzip"),
)
UNPACK = "Unpack it, and give the weights inside."


def kind_of(path: Path) -> Kind | None:
    """Which reader a file is for, whatever its name ends in; None if for none."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:2] == b"PK":
        return _kind_of_zip(path)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and not _is_plain_pickle(path):
        return "torch"
    return "safetensors" if _is_safetensors(head) else None


def _is_safetensors(head: bytes) -> bool:
    """The length of a JSON object, in eight bytes of which a real one leaves the last three 0."""
    return head[8:9] == b"{" and head[5:8] == b"\0\0\0"


def _kind_of_zip(path: Path) -> Kind | None:
    names = _names(path)
    if any(name.endswith("/data.pkl") for name in names):
        return None if _is_torchscript(names) else "torch"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return None


def _is_torchscript(names: list[str]) -> bool:
    return any(name.endswith("/constants.pkl") for name in names)


def _is_plain_pickle(path: Path) -> bool:
    """Whether a pickle does not begin with the number that ``torch.save`` put first before 1.6."""
    with path.open("rb") as file:
        head = file.read(64)
    return len(head) >= 32 and b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" not in head


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_bomb(archive, path)
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def diagnosis(path: Path) -> str:
    """What a file that no reader is for is, and what helps, to stand behind its name."""
    size = path.stat().st_size
    if size == 0:
        return f"is empty (0 bytes). {AGAIN}"
    with path.open("rb") as file:
        head = file.read(HEAD)
    for tell in (pointer, _archive, _foreign, _written, _protobuf, _zeros):
        found = tell(path, head)
        if found:
            return found
    return (
        f"is of no kind known here: {size} bytes that are no state dict "
        f"(they begin with {head[:8].hex(' ')})."
    )


def _archive(path: Path, head: bytes) -> str | None:
    if head[:2] == b"PK":
        return _zip(path)
    if head[257:262] == b"ustar":
        return f"is a tar archive ({_inside(path)}). {UNPACK}"
    for beginning, name in ARCHIVES:
        if head.startswith(beginning):
            inside = f" ({_inside(path)})" if name in ("gzip", "xz", "bzip2") else ""
            return f"is a {name} archive{inside}. {UNPACK}"
    return None


def _inside(path: Path) -> str:
    """The first names in a tar archive, packed once more or not."""
    try:
        with tarfile.open(path) as archive:
            names = [member.name for member, _ in zip(archive, range(3), strict=False)]
    except (tarfile.TarError, EOFError, OSError, zlib.error, gzip.BadGzipFile):
        return "of a single file"
    return f"it holds {', '.join(map(printable, names)) or 'nothing'}"


def _zip(path: Path) -> str:
    size, names = path.stat().st_size, _names(path)
    if not names:
        empty = path.read_bytes()[:4] == b"PK\x05\x06"
        what = "is an empty zip archive" if empty else f"cannot be read: cut short at {size} bytes"
        return f"{what}. {AGAIN}"
    if _is_torchscript(names):
        return (
            "is a TorchScript archive: a program together with its weights, and programs are not "
            "run here. Where it is trusted, save its weights alone: "
            "torch.save(torch.jit.load(FILE).state_dict(), NEW)."
        )
    if any(name.endswith("model.weights.h5") for name in names):
        return f"is a model of Keras. {NOT_OURS}"
    if any(name.rpartition("/")[2] in ("archive_format", "archive_version") for name in names):
        return (
            "is a program that torch.export wrote. Save its weights alone: "
            "torch.save(MODEL.state_dict(), NEW)."
        )
    return f"is a zip archive of files ({', '.join(map(printable, names[:3]))}). {UNPACK}"


def _foreign(path: Path, head: bytes) -> str | None:
    if what := _format(head):
        return f"{what}. {NOT_OURS}"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return (
            "is a pickle that torch.save did not write, and only running it would tell what it "
            "holds. Where it is trusted, load it and save its tensors with torch.save."
        )
    return None


def _format(head: bytes) -> str | None:
    """A format that is none of ours, by where its mark stands."""
    marked = {
        "is a WebP image": head[:4] == b"RIFF" and head[8:12] == b"WEBP",
        "is a BMP image": head[:2] == b"BM" and head[6:10] == b"\0\0\0\0",
        "is a model of TensorFlow Lite": head[4:8] == b"TFL3",
        "is a MessagePack file, as flax writes weights": _is_message_pack(head),
    }
    marked |= {what: True for beginning, what in BEGINNINGS if head.startswith(beginning)}
    return next((what for what, found in marked.items() if found), None)


def _is_message_pack(head: bytes) -> bool:
    """A map, and behind it a key that is text."""
    behind = {0xDE: 3, 0xDF: 5}.get(head[0], 1 if 0x81 <= head[0] <= 0x8F else 0)
    key = head[behind] if behind and len(head) > behind else 0
    return 0xA1 <= key <= 0xBF or key in (0xD9, 0xDA)


def _written(path: Path, head: bytes) -> str | None:
    """Text: a page, an answer of a server, or something a person wrote."""
    text = text_of(head)
    if text is None:
        return None
    if found := page(text):
        return found
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        reason = re.search(r"<(Code|Message)>(.*?)</", start, re.S)
        said = f" ({printable(reason[2])})" if reason else ""
        return (
            f"is XML text{said}, as storage servers answer in place of a file. Check its address."
        )
    if start[:1] in ("{", "["):
        return _json(path)
    return f"is text, no weights: {path.stat().st_size} bytes that begin {printable(start)[:40]!r}."


def _json(path: Path) -> str:
    try:
        values = json.loads(path.read_bytes()[:1_000_000])
    except ValueError:
        values = None
    reasons = ("error", "message", "detail", "errors")
    found = [values[name] for name in reasons if isinstance(values, dict) and name in values]
    if found:
        return (
            f"is an answer of a server in JSON, not weights ({printable(str(found[0]))[:80]}). "
            f"Check its address and whether it wants a login."
        )
    if isinstance(values, dict) and "weight_map" in values:
        return "is the list of weights in several files, and no config.json lies beside it."
    return f"is JSON text, not weights: {path.stat().st_size} bytes that are no state dict."


def _protobuf(path: Path, head: bytes) -> str | None:
    """ONNX and TensorFlow begin with the first field of a message, whose number comes first."""
    if head[:3] == b"\x08\x01\x12" or path.suffix == ".pb":
        return f"is a saved model of TensorFlow. {NOT_OURS}"
    if (
        head[:1] == b"\x08"
        and head[1] <= 0x20
        and head[2:3] in (b"\x12", b"\x1a", b"\x3a", b"\x42")
    ):
        return f"is an ONNX network. {NOT_OURS}"
    if re.search(r"\.(data-\d+-of-\d+|index)$", path.name) or path.suffix in (
        ".ckpt-data",
        ".meta",
    ):
        return f"is a part of a checkpoint of TensorFlow, by its name. {NOT_OURS}"
    return None


def _zeros(path: Path, head: bytes) -> str | None:
    if head.strip(b"\0"):
        return None
    return f"begins with {len(head)} zero bytes: space that was set aside and never filled. {AGAIN}"
