"""What is no checkpoint is told for what it is, wherever it lies and whatever its name."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import pickle
import re
import shutil
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from segmodels.checkpoints import load_backbone, load_checkpoint, save_checkpoint
from segmodels.checkpoints.diagnosis import AGAIN
from segmodels.checkpoints.readers import read_any
from segmodels.errors import SegmodelsError
from segmodels.models import create_model

NANO = create_model("segformer_nano", 3).eval()
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 14912345\n"


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(mode: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("b0/weights.pth"))
    return buffer.getvalue()


def image(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, form)
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def torchscript() -> bytes:
    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and such files are still about
        torch.jit.save(torch.jit.trace(Twice(), torch.ones(1)), buffer)
    return buffer.getvalue()


PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Google Drive - Virus\nscan warning</title></head></html>"
)
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No</Message></Error>'

#: Bytes, what must be said of them, and whether another download helps.
CASES: dict[str, tuple[bytes, str, bool]] = {
    "empty": (b"", r"is empty \(0 bytes\)", True),
    "zeros": (bytes(5000), "zero bytes", True),
    "lfs": (LFS, "pointer of Git LFS.*14912345 bytes.*git lfs pull", False),
    "lfs of 2013": (
        b"version https://hawser.github.com/spec/v1\noid sha256:4d\nsize 9\n",
        "pointer of Git LFS.* of 9 bytes",
        False,
    ),
    "lfs before": (b"version http://git-media.io/v/2\noid sha256:4d\nsize 9\n", "Git LFS", False),
    "annex": (b"/annex/objects/SHA256E-s3--ab.pth\n", "git-annex.*git annex get", False),
    "dvc": (b"outs:\n- md5: 00\n  path: a.pth\n", "DVC.*dvc pull", False),
    "page": (PAGE, "web page titled 'Google Drive - Virus scan warning'", False),
    "page of Windows": (
        "<html><title>Log in</title>".encode("utf-16"),
        "web page titled 'Log",
        False,
    ),
    "comment": (b"<!-- saved -->\n<html></html>", "web page", False),
    "xml": (DENIED, r"XML text \(AccessDenied\)", False),
    "answer": (b'{"error": "Repository not found"}', r"in JSON.*\(Repository not found\)", False),
    "json": (b'{"a": 1}', "is JSON text", False),
    "text": (b"hello, there\n", "is text, no weights.*'hello, there'", False),
    "tar": (tarred("w"), "tar archive .*b0/weights.pth.*Unpack it", False),
    "targz": (tarred("w:gz"), "gzip archive .*b0/weights.pth.*Unpack it", False),
    "gzip": (gzip.compress(b"weights"), r"gzip archive \(of a single file\)", False),
    "sevenzip": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "7z archive", False),
    "rar": (b"Rar!\x1a\x07\x01\0" + bytes(40), "RAR archive", False),
    "zip": (zipped(**{"b0/weights.pth": b"x"}), r"zip archive of files \(b0/weights.pth\)", False),
    "zipcut": (zipped(a=b"x" * 99)[:-30], "cut short at", True),
    "zipempty": (zipped(), "empty zip archive", True),
    "keras": (zipped(**{"config.json": b"", "model.weights.h5": b""}), "model of Keras", False),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5.*Keras", False),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(40), "GGUF", False),
    "npy": (array(), "single array of NumPy", False),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x032.0", "ONNX", False),
    "savedmodel": (b"\x08\x01\x12\x9e\x01", "saved model of TensorFlow", False),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(40), "TensorFlow Lite", False),
    "flax": (b"\x81\xa6params\x81\xa4head\x90", "MessagePack.*flax", False),
    "pickle": (pickle.dumps({"a": np.zeros(64)}, 4), "pickle that torch.save did not", False),
    "png": (image("PNG"), "PNG image", False),
    "jpeg": (image("JPEG"), "JPEG image", False),
    "bmp": (image("BMP"), "BMP image", False),
    "webp": (image("WEBP"), "WebP image", False),
    "tiff": (image("TIFF"), "TIFF image", False),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "PDF document", False),
    "script": (torchscript(), "TorchScript archive.*state_dict", False),
    "noise": (bytes(range(200, 250)), r"no kind known here: 50 bytes .*c8 c9 ca", False),
}


def told(path: Path) -> str:
    with pytest.raises(SegmodelsError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert not any(word in message for word in ("weights_only", "allow_pickle", "add_safe_globals"))
    return message


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz", ".bin"])
def test_one_cause_one_diagnosis_under_any_name(tmp_path, name, suffix) -> None:
    data, expected, again = CASES[name]
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(data)
    message = told(path)
    assert re.search(expected, message), message
    assert (AGAIN in message) is again
    assert message.count(str(path)) == 1


@pytest.mark.parametrize("name", ["lfs", "page", "script", "empty", "hdf5"])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "checkpoint.pth"])
def test_the_same_inside_a_folder(tmp_path, name, file) -> None:
    data, expected, _ = CASES[name]
    (tmp_path / "config.json").write_text('{"model_type": "segformer"}')
    (tmp_path / "variant.yml").write_text("net_kwargs: {}")
    if file == "checkpoint.pth":
        (tmp_path / "config.json").unlink()
    (tmp_path / file).write_bytes(data)
    for place in (tmp_path, tmp_path / file):
        assert re.search(rf"{file} .*{expected}", told(place))


def test_content_decides_and_not_the_name(tmp_path, images) -> None:
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=5).eval()
    state = model.state_dict()
    save_file(state, tmp_path / "safe.pth")
    save_file(state, tmp_path / "safe.bin")
    torch.save({"state_dict": state}, tmp_path / "torch.safetensors")
    torch.save({"state_dict": state}, tmp_path / "torch.npz")
    for path in sorted(tmp_path.iterdir()):
        with torch.inference_mode():
            assert torch.equal(load_checkpoint(path)(images), model(images))


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_file_that_was_zipped_again_loads(tmp_path, packing) -> None:
    torch.save({"x": torch.arange(5.0)}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as old,
        zipfile.ZipFile(tmp_path / "b.pth", "w", packing) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert read_any(tmp_path / "b.pth")["x"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_changed_byte_is_told_from_a_cut_file(tmp_path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": create_model("segformer_nano").state_dict()}, path)
    data = bytearray(path.read_bytes())
    at = data.index(b"state_dict")
    data[at : at + 10] = b"\xff" * 10
    path.write_bytes(data)
    assert "damaged in a/data.pkl" in told(path)
    assert AGAIN in told(path)


def test_a_pickled_network_is_named(tmp_path) -> None:
    torch.save(create_model("segformer_nano"), tmp_path / "whole.pth")
    message = told(tmp_path / "whole.pth")
    assert "asks for segmodels.models.segformer.SegFormer" in message
    assert "save its state dict alone" in message
    assert AGAIN not in message


@pytest.mark.parametrize(
    ("change", "message", "again"),
    [
        (lambda data: data[:-5], "cut short at", True),
        (lambda data: data[:20], "cut short at 20 bytes", True),
        (lambda data: data.replace(b"F32", b"Q32", 1), "types that do not fit", False),
        (lambda data: data.replace(b'"dtype"', b'#dtype"', 1), "header is damaged", True),
        (lambda data: data + b"more", "do not fit", False),
    ],
)
def test_what_is_wrong_with_a_safetensors_file(tmp_path, change, message, again) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(4)}, path)
    path.write_bytes(change(path.read_bytes()))
    found = told(path)
    assert message in found
    assert (AGAIN in found) is again
    assert "Error" not in found


def test_an_index_without_its_config_is_told(tmp_path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"x": "model-00001-of-00001.safetensors"}}))
    assert "several files" in told(path)
    assert "config.json" in told(path)


def test_a_network_of_another_kind_is_named(tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mask2former"}')
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    assert "'mask2former'" in told(tmp_path)


def test_names_in_a_file_cannot_break_the_line(tmp_path) -> None:
    torch.save({"state_dict": {"a\nb\x1b[2J.c": torch.zeros(1)}}, tmp_path / "a.pth")
    assert "a b?[2J.c" in told(tmp_path / "a.pth")
    path = tmp_path / "b.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}}, path)
    path.write_bytes(path.read_bytes().replace(b"b/byteorder", b"b\nbyteorder"))
    told(path)


@pytest.mark.parametrize("flag", [0x01, 0x20, 0x40])
def test_a_changed_flag_of_a_record_is_damage(tmp_path, flag) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}}, path)
    data = bytearray(path.read_bytes())
    for start in (b"PK\x01\x02", b"PK\x03\x04"):
        data[data.index(start) + (8 if start[2] == 1 else 6)] |= flag
    data[data.index(b"state_dict")] = 0xFF
    path.write_bytes(data)
    assert "cannot be read: damaged" in told(path)


@pytest.mark.parametrize("load", [load_checkpoint, lambda path: load_backbone(NANO, path)])
def test_what_is_neither_file_nor_folder_is_not_waited_for(tmp_path: Path, load: Any) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(SegmodelsError, match=r"pipe\.pth is neither a file nor a folder"):
        load(tmp_path / "pipe.pth")


@pytest.mark.parametrize("load", [load_checkpoint, lambda path: load_backbone(NANO, path)])
def test_what_the_system_refuses_is_one_sentence(
    tmp_path: Path, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "closed.pth"
    path.write_bytes(b"\x80\x02")

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SegmodelsError, match=r"closed\.pth: Permission denied\. Ask its owner"):
        load(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("depths", [10**9, 1, 1, 1], "'depths': expected at most 1000"),
        ("decoder_width", 10**30, "'decoder_width'"),
        ("decoder_width", 10**6, r"misshapen \(decode_head"),
        ("widths", [120_000] * 4, "misshapen"),
    ],
)
def test_sizes_that_a_file_makes_up_cost_no_memory(
    tmp_path: Path, name: str, value: Any, message: str
) -> None:
    save_checkpoint(NANO, tmp_path / "nano")
    path = tmp_path / "nano" / "model.json"
    about = json.loads(path.read_text())
    about["config"][name] = value
    path.write_text(json.dumps(about))
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(tmp_path / "nano")


def test_a_file_that_a_browser_unpacked_is_told(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "net.zip")
    shutil.unpack_archive(tmp_path / "net.zip", tmp_path / "out")
    with pytest.raises(SegmodelsError, match=r"out/net is a file of torch\.save that was unpacked"):
        load_checkpoint(tmp_path / "out" / "net")
