"""mmsegmentation's model zoo as claims: what is here is written, the rest is counted."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import mmseg_package
import pytest
import synthetic
import yaml

from segmodels import cli
from segmodels.assets.checksums import check_files, fault
from segmodels.assets.entries import load_weights_entries, load_weights_entry
from segmodels.assets.fetch import fetch_weights
from segmodels.claims import load_claims
from segmodels.errors import SegmodelsError
from segmodels.exchange.mmseg.claims import import_zoo
from segmodels.verdicts.validation import problems

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the real protocols and datasets, and one claim."""
    root = synthetic.project(tmp_path / "project")
    for name in ("protocols.yaml", "datasets.yaml"):
        shutil.copyfile(REPOSITORY / "params" / name, root / "params" / name)
    for path in (*(root / "params" / "claims").iterdir(), *(root / "params" / "runs").iterdir()):
        path.unlink()
    claim = {"id": "fcn", "model": "fcn_resnet50", "dataset": "ade20k", "split": "val"}
    number = {"metric": "mIoU", "value": 29.4, "decimals": 1, "source": "the paper"}
    write(root, "fcn", [{**claim, **number}])
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    return root


def write(root: Path, name: str, claims: list[dict[str, object]]) -> None:
    head = {"paper": "fcn", "title": "Fully Convolutional Networks", "arxiv": "1411.4038"}
    path = root / "params" / "claims" / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**head, "claims": claims}))


def state(root: Path) -> dict[str, bytes]:
    found = (path for path in (root / "params").rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_numbers_of_networks_that_are_here_become_claims(root: Path, tmp_path: Path) -> None:
    imported = import_zoo(mmseg_package.wheel(tmp_path / "mmseg.whl"))
    found = {name: claim for name, claim in load_claims().items() if name != "fcn"}
    assert imported.claims == len(found) == 3
    single = found["mmseg_fcn_r50-d8_512x512_80k_ade20k_ss"]
    assert (single.model, single.dataset, single.printed) == ("fcn_resnet50", "ade20k", "35.94")
    assert single.who == "re-implementation (MMSegmentation)"
    assert single.protocol == "mmseg-ade20k-whole-ss"
    assert single.stated == "single scale; trained with 4 x 4 images, 80k iterations"
    assert (single.paper, single.title) == ("fcn", "Fully Convolutional Networks")  # as by hand
    several = found["mmseg_fcn_r50-d8_512x512_80k_ade20k_ms"]
    assert (several.printed, several.protocol) == ("37.90", "mmseg-ade20k-whole-ms")
    aligned = found["mmseg_fcn_r101-d8_512x512_80k_ade20k_ss"]
    assert (aligned.model, aligned.overrides) == ("fcn_resnet101", {"align_corners": True})
    assert problems() == []


def test_what_is_not_here_is_counted_with_the_reason(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["claims", "import", "mmseg", str(mmseg_package.folder(tmp_path / "p"))]) == 0
    said = capsys.readouterr().out
    assert "3 claims written; 0 more stand in files by hand already\n5 left out" in said
    for reason in (
        "model.decode_head.threshold=0.5",
        "head NoHead",
        "config that its metafile names and the package lacks",
        "no address with digits of a sha256",
        "metric RMSE",
    ):
        assert f"   1 {reason}\n" in said


def test_a_second_import_changes_nothing(root: Path, tmp_path: Path) -> None:
    before = (root / "params" / "weights.yaml").read_text()
    import_zoo(mmseg_package.folder(tmp_path / "p"))
    first = state(root)
    stray = root / "params" / "claims" / "mmseg" / "gone.yaml"
    stray.write_text("paper: gone\ntitle: of an earlier import\n")
    import_zoo(mmseg_package.wheel(tmp_path / "mmseg.whl"))
    assert state(root) == first
    assert (root / "params" / "weights.yaml").read_text().startswith(before.rstrip())


def test_what_stands_by_hand_is_not_written_again(root: Path, tmp_path: Path) -> None:
    package = mmseg_package.folder(tmp_path / "p")
    import_zoo(package)
    names = ("mmseg_fcn_r50-d8_512x512_80k_ade20k_ss", "mmseg_fcn_r101-d8_512x512_80k_ade20k_ss")
    mine = [load_claims()[name].model_dump(exclude_defaults=True) for name in names]
    for claim, own in zip(mine, ("same", "other"), strict=True):
        claim["id"] = own
        for field in ("paper", "title", "arxiv", "url"):
            claim.pop(field, None)
    mine[1] |= {"value": 39.91, "conflicts": [names[1]]}
    write(root, "by_hand", mine)
    imported = import_zoo(package)
    assert (imported.claims, imported.by_hand) == (2, 1)
    assert names[0] not in load_claims()
    assert load_claims()[names[1]].conflicts == ("other",)
    assert problems() == []


def test_weights_are_known_by_the_digits_in_their_name(root: Path, tmp_path: Path) -> None:
    import_zoo(mmseg_package.folder(tmp_path / "p"))
    entry = load_weights_entry("mmseg-fcn_r50-d8_512x512_80k_ade20k")
    (file,) = entry.files
    assert (entry.state, entry.pinned, file.sha256_prefix) == ("ok", "no", "f8ac5082")
    path = tmp_path / file.name
    path.write_bytes(b"something else")
    assert "does not begin with f8ac5082" in str(fault(file, path))
    path.write_bytes(b"segmodels")
    assert fault(file.replace(sha256_prefix=SEGMODELS[:8]), path) is None
    assert fault(file.replace(sha256_prefix=SEGMODELS[:7] + "0"), path) is not None


def test_the_whole_sum_is_noted_at_the_first_fetch(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_zoo(mmseg_package.folder(tmp_path / "p"))
    weights = root / "params" / "weights.yaml"
    weights.write_text(weights.read_text().replace("f8ac5082", SEGMODELS[:8]))
    name = "mmseg-fcn_r50-d8_512x512_80k_ade20k"
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("SEGMODELS_MIRROR", str(mirror))
    copy = mirror / load_weights_entry(name).files[0].name
    copy.write_bytes(b"another")
    with pytest.raises(SegmodelsError, match=f"does not begin with {SEGMODELS[:8]}"):
        fetch_weights(load_weights_entry(name), tmp_path / "to")
    copy.write_bytes(b"segmodels")
    fetch_weights(load_weights_entry(name), tmp_path / "to")
    entry = load_weights_entry(name)
    assert entry.files[0].accepted == (SEGMODELS,)
    assert entry.pinned == "first sight"
    (tmp_path / "to" / copy.name).write_bytes(b"changed")
    with pytest.raises(SegmodelsError, match=r"noted in params/weights\.lock\.yaml"):
        check_files(entry, tmp_path / "to")
    weights.write_text(
        weights.read_text().replace(f"sha256_prefix: {SEGMODELS[:8]}", "sha256_prefix: '00000000'")
    )
    with pytest.raises(SegmodelsError, match="'sha256_prefix' is 00000000, but its sha256 is"):
        load_weights_entry(name)


#: Of the bytes `segmodels`.
SEGMODELS = "b02d1423fe08b1428daa62c25123bf21b1a6f8d1950afbc5155171f0056f6893"


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"metafile": "Models: 3\n"}, "fcn/metafile.yaml: field 'Models': expected a list"),
        ({"metafile": "- a: ["}, "fcn/metafile.yaml: not valid YAML"),
        ({"metafile": "[1]"}, "expected 'Collections' and 'Models', found [1]"),
        (
            {"metafile": mmseg_package.METAFILE.replace("35.94", "'many'")},
            "metric 'mIoU': expected a percentage, found 'many'",
        ),
        ({"fcn_r50": "model = dict("}, "_base_/fcn_r50.py: no config"),
        ({"version": "nothing\n"}, "does not say which version it is"),
    ],
)
def test_a_file_that_is_none_is_named(
    root: Path, tmp_path: Path, changed: dict[str, str], wrong: str
) -> None:
    before = state(root)
    with pytest.raises(SegmodelsError, match=re.escape(wrong)):
        import_zoo(mmseg_package.folder(tmp_path / "p", **changed))
    assert state(root) == before


def test_another_thing_is_no_package(root: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.whl"
    text.write_text("no zip")
    for path, wrong in (
        (tmp_path / "nowhere", "no such file or folder"),
        (tmp_path, "no package of mmsegmentation"),
        (text, "cannot be read as a wheel"),
    ):
        with pytest.raises(SegmodelsError, match=wrong):
            import_zoo(path)


def test_published_entries_are_what_an_import_writes() -> None:
    """Every file of the zoo is known by digits, which its address repeats."""
    entries = {k: v for k, v in load_weights_entries().items() if k.startswith("mmseg-")}
    assert len(entries) > 50
    for entry in entries.values():
        (file,) = entry.files
        assert file.url.endswith(f"-{file.sha256_prefix}.pth")
    claims = [claim for claim in load_claims().values() if claim.weights in entries]
    assert {claim.weights for claim in claims} == entries.keys()
    assert all(claim.claimant == "re-implementation" for claim in claims)
