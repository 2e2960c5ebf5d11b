"""Evidence of a run in one file: packed by one, judged by another without images."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import THEIRS, evidence, matrices
from toy_board import Board

from segmodels.cli import main
from segmodels.core import paths
from segmodels.core.files import write_json
from segmodels.errors import SegmodelsError
from segmodels.evaluation.label_maps import maps_digest, publish, write_map
from segmodels.evidence import Counted, read_evidence
from segmodels.evidence.signature import check_signature, make_key, sign
from segmodels.evidence.submission import FIRST, read_submission, submission_in
from segmodels.protocols.protocol import Protocol
from segmodels.steps.packing import pack_run

STRICT = Protocol(name="x", version=1, title="x", void="error").inference


@pytest.fixture
def packed(board: Board, tmp_path: Path) -> Path:
    """The file of a run with one piece that others can judge, and some that they cannot."""
    board.keep(evidence(inference=STRICT), local=True)
    board.keep(evidence(condition={"parameter_noise": 0.1}), folder="toy-run/noise", local=True)
    path = tmp_path / "toy.submission"
    return pack_run("toy-run", path).path


def test_what_a_file_holds_is_not_lost(
    board: Board, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evidence", "pack", "toy-run", "--out", str(packed)]
    assert main(words) == 0  # the same again
    board.keep(evidence(matrices(5), inference=STRICT), local=True)
    before = packed.read_bytes()
    assert main(words) == 1
    assert "there already, and holds other evidence" in capsys.readouterr().err
    assert packed.read_bytes() == before
    assert main([*words, "--force"]) == 0
    assert packed.read_bytes() != before
    packed.write_text("notes")
    assert main(words) == 1
    assert "holds something else. Name another file (--out FILE)" in capsys.readouterr().err
    assert packed.read_text() == "notes"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--by", "Some Lab"], "--by 'Some Lab': a name of lower-case letters"),
        (["--by", ""], "--by '': a name of lower-case letters"),
        (["--by", "some-lab", "--url", "ftp://x"], "--url 'ftp://x': an address"),
        (["--key", "/nowhere"], "--key /nowhere: expected the file of a public key"),
    ],
)
def test_arguments_are_looked_at_before_files(
    packed: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    if "--key" in words:
        pytest.importorskip("minisign", reason="the extra `sign` is not installed")
    assert main(["evidence", "check", str(packed), *words]) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def other_side(board: Board) -> None:
    """The project of somebody who has no evidence yet."""
    shutil.rmtree(board.local)


def sealed(body: bytes) -> bytes:
    """A file with the sum of its lines, as anybody can write one."""
    return body + f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()


def test_one_file_holds_evidence_hashes_maps_and_environment(board: Board, tmp_path: Path) -> None:
    found = evidence(matrices(1), inference=STRICT)
    board.keep(found, local=True)
    write_json(paths.record("toy-run", "strict"), {"seconds": 3})
    draft, maps = tmp_path / "draft", paths.maps("toy-run", "strict")
    image = write_map(draft, found.images[0].image, np.ones((2, 3), np.uint8))
    publish(draft, maps, found.key, found.outputs, [image])
    packed = pack_run("toy-run", tmp_path / "toy.submission")
    (part,) = read_submission(packed.path).parts
    assert (part.key, part.protocol, packed.keys) == (found.key, "strict", [found.key])
    assert part.environment == {"seconds": 3}
    assert part.maps == maps_digest(maps)
    assert part.maps["images"] == 1
    assert part.head["identity"]["weights"] == found.identity.weights
    assert part.head["counts_sha256"]


def test_the_digest_of_maps_is_of_their_labels(tmp_path: Path) -> None:
    labels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    for name, values in (("a", labels), ("b", labels.astype(np.uint16)), ("c", labels.T)):
        file = write_map(tmp_path / "draft", "x.jpg", values)
        publish(tmp_path / "draft", tmp_path / name, "key", 7, [file])
    a, b, c = (maps_digest(tmp_path / name)["sha256"] for name in "abc")
    assert a == b != c


def test_what_nobody_else_can_judge_is_left_out(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evidence", "pack", "toy-run", "--out", str(packed)]) == 0
    assert "left out: 1 of noise: of disturbed images or weights" in capsys.readouterr().out
    assert len(read_submission(packed).parts) == 1


def test_the_other_side_judges_it_without_images(
    board: Board, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other_side(board)
    assert main(["evidence", "check", str(packed)]) == 0
    said = capsys.readouterr().out
    assert "toy.submission: whole, of run 'toy-run'\n  not signed\n" in said
    assert "sound, 6 images" in said
    assert "toy_strict: mIoU printed 50.00, " in said
    assert board.row("toy_strict").verdict.status == "unverified"  # nothing was kept


def test_what_is_kept_answers_under_their_name(
    board: Board, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other_side(board)
    assert main(["evidence", "check", str(packed), "--by", "some-lab"]) == 0
    assert "kept as" in capsys.readouterr().out
    assert board.row("toy_strict").verdict.level == "third party (some-lab)"


def test_a_file_changed_by_any_byte_is_refused(packed: Path) -> None:
    whole = packed.read_bytes()
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(SegmodelsError, match="it was changed after it was packed") as refused:
            submission_in(packed, changed)
        assert "\n" not in str(refused.value)
    for other in (whole[:-1], whole + b"\n", whole[: len(whole) // 2], b""):
        packed.write_bytes(other)
        with pytest.raises(SegmodelsError, match="it was changed after it was packed"):
            read_submission(packed)


def test_a_changed_number_with_a_new_sum_is_refused_by_the_evidence(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, content, _ = packed.read_bytes().splitlines(keepends=True)
    for old, new, wrong in (
        (b'"evaluator":', b'"evaluator":9', "the identity hashes to key"),
        (b'"images":6', b'"images":5', "images are counted, field 'images' says 5"),
        (b'"counts":"/Td6', b'"counts":"/Td7', "cannot be unpacked"),
    ):
        changed = content.replace(old, new, 1)
        assert changed != content
        packed.write_bytes(sealed(first + changed))
        assert main(["evidence", "check", str(packed)]) == 1
        said = capsys.readouterr().err
        assert wrong in said
        assert said.startswith(f"error: {packed}")
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"segmodels submission 2\n{}\n", "expected the line 'segmodels submission 1'"),
        (FIRST, "expected the line"),
        (FIRST + b"{}\n", "no submission"),
        (FIRST + b"no json\n", "no submission"),
        (FIRST + b'{"run":"x","parts":[{"counts":"?"}]}\n', "no submission"),
        (FIRST + b'{"run":"x","parts":3}\n', "no submission"),
    ],
)
def test_another_form_is_one_line(tmp_path: Path, body: bytes, wrong: str) -> None:
    path = tmp_path / "x.submission"
    path.write_bytes(sealed(body))
    with pytest.raises(SegmodelsError, match=wrong) as refused:
        read_submission(path)
    assert "\n" not in str(refused.value)


def test_what_cannot_answer_here_says_why(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board.keep(evidence(weights="0" * 64), local=True)
    path = pack_run("toy-run", tmp_path / "toy.submission").path
    other_side(board)
    assert main(["evidence", "check", str(path)]) == 1
    assert "answers nothing here: its weights are none of" in capsys.readouterr().out
    assert main(["evidence", "check", str(path), "--by", "some-lab"]) == 1
    assert "its weights are none of" in capsys.readouterr().err
    assert not (board.evidence / "third-party").exists()


def test_a_claim_stands_for_the_run_that_evaluates_it(
    board: Board, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.submission"
    assert pack_run("toy_strict", other).keys == pack_run("toy-run", packed).keys
    assert other.read_bytes() == packed.read_bytes()
    other.write_text("no submission, by its name one\n")
    assert main(["evidence", "check", str(other)]) == 1
    assert "it was changed after it was packed" in capsys.readouterr().err


def test_a_run_without_evidence_is_named(board: Board) -> None:
    board.keep(evidence(counted=THEIRS), local=True)
    with pytest.raises(SegmodelsError, match=r"nothing in it that others could judge \(of strict"):
        pack_run("toy-run")
    with pytest.raises(SegmodelsError, match="Did you mean 'toy-run'"):
        pack_run("toy-runn")


def test_a_signature_is_told_by_the_row() -> None:
    said = [Counted("checked", "a-lab", "", signed).signature for signed in ("", "RWx")]
    assert said == ["", "signed"]
    assert Counted("checked", "a-lab", "", "not checked").signature == "signature not checked"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    pytest.importorskip("minisign", reason="the extra `sign` is not installed")
    path = tmp_path / "keys" / "me"
    make_key(path)
    return path


def test_a_signature_is_checked_and_stands_on_the_row(
    board: Board, packed: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evidence", "pack", "toy-run", "--out", str(packed), "--sign", str(key)]) == 0
    other_side(board)
    assert main(["evidence", "check", str(packed)]) == 0
    assert "signed; not checked: give the public key with --key" in capsys.readouterr().out
    public = f"{key}.pub"
    words = ["evidence", "check", str(packed), "--by", "some-lab"]
    assert main([*words, "--key", public]) == 0
    own = Path(public).read_text().split()[-1]
    assert f"signed, checked with {own}" in capsys.readouterr().out
    row = board.row("toy_strict")
    assert row.verdict.level == "third party (some-lab, signed)"
    assert row.evidence is not None
    assert row.evidence.signed == own
    shutil.rmtree(board.evidence / "third-party")
    assert main(words) == 0
    assert board.row("toy_strict").verdict.level == "third party (some-lab, signature not checked)"
    assert main(["evidence", "check", str(packed), "--key", own]) == 0


def test_a_signature_of_somebody_else_is_refused(
    packed: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_key(tmp_path / "other")
    assert main(["evidence", "check", str(packed), "--key", str(other)]) == 1
    assert "it is not signed" in capsys.readouterr().err
    main(["evidence", "pack", "toy-run", "--out", str(packed), "--sign", str(key)])
    assert main(["evidence", "pack", "toy-run", "--out", str(packed)]) == 1
    assert "holds a signature" in capsys.readouterr().err
    assert main(["evidence", "check", str(packed), "--key", str(other)]) == 1
    assert "the signature is not of the key" in capsys.readouterr().err
    first, content, *signature, _ = packed.read_bytes().splitlines(keepends=True)
    changed = content.replace(b'"run":"toy-run"', b'"run":"toy-ruin"')
    packed.write_bytes(sealed(b"".join([first, changed, *signature])))
    assert main(["evidence", "check", str(packed), "--key", f"{key}.pub"]) == 1
    assert "the signature is not of the key" in capsys.readouterr().err


def test_keys_are_kept_and_wrong_ones_named(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import minisign

    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(SegmodelsError, match="a key is never replaced"):
        make_key(key)
    with pytest.raises(SegmodelsError, match="not used as a secret key of minisign"):
        sign(b"x", key.with_name("me.pub"), "")
    with pytest.raises(SegmodelsError, match="nowhere: No such file"):
        pack_run("toy-run", key=tmp_path / "nowhere")
    with pytest.raises(SegmodelsError, match="expected the file of a public key of minisign"):
        check_signature(b"x", b"", "RWnothing")
    with pytest.raises(SegmodelsError, match="begins with RW: there is no such file"):
        check_signature(b"x", b"", "/nowhere")
    secret = minisign.SecretKey.from_bytes(key.read_bytes())
    secret.encrypt("word", opslimit=minisign.OPSLIMIT // 64, memlimit=minisign.MEMLIMIT // 64)
    locked = tmp_path / "locked"
    locked.write_bytes(bytes(secret))
    with pytest.raises(SegmodelsError, match="set SEGMODELS_SIGN_PASSWORD"):
        sign(b"x", locked, "")
    monkeypatch.setenv("SEGMODELS_SIGN_PASSWORD", "word")
    assert check_signature(b"x", sign(b"x", locked, "why"), f"{key}.pub").startswith("RW")
    monkeypatch.setenv("SEGMODELS_SIGN_PASSWORD", "other")
    with pytest.raises(SegmodelsError, match="not used as a secret key"):
        sign(b"x", locked, "")


def test_a_copy_that_is_kept_is_the_same_evidence(board: Board, packed: Path) -> None:
    other_side(board)
    main(["evidence", "check", str(packed), "--by", "some-lab"])
    (copy,) = (board.evidence / "third-party" / "some-lab").glob("*.json")
    found = evidence(inference=STRICT)
    assert read_evidence(copy) == replace(found, counted=Counted("checked", "some-lab"))
    assert json.loads(copy.read_text())["counted"] == {"how": "checked", "by": "some-lab"}


def test_a_check_says_where_counts_disagree_with_those_here(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also without `--by`: a forged file is whole, and sound in itself."""
    board.keep(evidence(matrices(6, right=200), inference=STRICT), local=True)
    path = pack_run("toy-run", tmp_path / "toy.submission").path
    other_side(board)
    board.keep(evidence(inference=STRICT))
    assert main(["evidence", "check", str(path)]) == 1
    told = capsys.readouterr().out
    assert "answers nothing here: says mIoU" in told
    assert "but the same weights on the same images gave" in told
