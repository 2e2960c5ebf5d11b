from __future__ import annotations

from pathlib import Path

import pytest

from segmodels.assets.entries import (
    RemoteFile,
    WeightsEntry,
    load_dataset_entries,
    load_dataset_entry,
    load_weights_entries,
    load_weights_entry,
    weights_identity,
)
from segmodels.core.files import sha256_of_file
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.steps.weights import weights_digest

PARAMS = Path(__file__).resolve().parents[2] / "params"
SHA = "0123456789abcdef" * 4
COMMIT = "0123456789" * 4
OK = {"state": "ok", "source": "here"}


@pytest.mark.parametrize("path", sorted(PARAMS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_of_params_is_a_mapping_of_names(path):
    assert read_yaml(path) or path.name == "weights.lock.yaml"  # nothing noted yet


def test_the_entries_of_this_project_can_be_fetched_or_say_why_not():
    for entry in load_weights_entries().values():
        assert entry.licence or entry.state != "ok"
        assert entry.reason or entry.state == "ok"
        known = all(file.sha256 or file.sha256_prefix for file in entry.files)
        assert known != entry.unseen, f"{entry.name}: nothing tells whether its files are right"


def test_every_dataset_can_be_fetched_or_says_why_not():
    for dataset in load_dataset_entries().values():
        assert dataset.licence or dataset.state != "ok"
        assert dataset.reason or dataset.state == "ok"
        # COCO publishes no checksums; the number of images is what is left.
        known = all(split.fingerprint or split.images for split in dataset.splits.values())
        for file in dataset.archives:
            assert file.sha256 or file.sha1 or (dataset.splits and known), file.name


@pytest.fixture
def write(tmp_path, edit_yaml):
    def _write(entry):
        path = tmp_path / "entries.yaml"
        path.write_text("{}")
        edit_yaml(path, lambda content: content.update(odd=entry))
        return path

    return _write


def file(**changes):
    return {"name": "a.pth", "url": "https://example.org/a.pth", "sha256": [SHA], **changes}


def test_a_whole_entry(write):
    path = write({"model": "unet", **OK, "licence": "MIT", "files": [file(bytes=3)]})
    entry = load_weights_entries(path)["odd"]
    assert entry.name == "odd"
    assert entry.files[0].sha256 == (SHA,)
    assert entry.files[0].bytes == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "field 'model': expected text, found nothing"),
        ({"modell": "unet"}, "unknown field 'modell'. Did you mean 'model'"),
        ({"state": "fine"}, "field 'state': expected 'ok', 'gated', .* found 'fine'"),
        ({"state": "lost"}, "state 'lost' needs a 'reason'"),
        ({"files": []}, "state 'ok' needs 'files' to fetch"),
        ({"files": file()}, "field 'files': expected a list, found {'name'"),
        ({"files": ["a.pth"]}, "field 'files.0.': expected fields by name, found 'a.pth'"),
        ({"files": [file(url=None)]}, "field 'files.a.pth..url': expected text, found nothing"),
        ({"files": [file(sha256=SHA)]}, "field 'files.a.pth..sha256': expected a list"),
        (
            {"files": [file(sha256=[SHA[1:]])]},
            "'files.a.pth..sha256.0.': expected a sha256 .* found '123",
        ),
        (
            {"files": [file(sha256=[SHA.upper()])]},
            "expected a sha256 .64 digits 0-9a-f., found '0123456789ABC",
        ),
        ({"files": [file(sha256=[7])]}, "sha256.0.': expected text, found 7"),
        ({"files": [file(sha256=[])]}, "'a.pth' needs its sha256, or 'unseen: true'"),
        ({"unseen": True}, "'unseen' is for files whose sha256 is not known"),
        ({"files": [file(url="example.org/a.pth")]}, "an address with https:// .*, found 'exam"),
        ({"files": [file(url="file:///etc/passwd")]}, "an address with https:// .* 'file:"),
        ({"files": [file(name="../../a.pth")]}, "expected a file name without folders, found"),
        ({"files": [file(name="*.pth")]}, "expected a file name without folders, found"),
        ({"files": [file(bytes="1 MB")]}, "bytes': expected a whole number, found '1 MB'"),
        (
            {"files": [file(sha256_from="them")]},
            "sha256_from': expected 'authors' or 'us', found 'them'",
        ),
        ({"files": [file(sha256=[], sha256_from="us")]}, "'sha256_from' says who gives the sha256"),
        (
            {"files": [file(revision="v1")]},
            "revision': expected a commit .40 digits 0-9a-f., found 'v1'",
        ),
        ({"files": [file(revision=COMMIT)]}, "'revision' is for a 'url' that names a branch"),
    ],
)
def test_broken_weights_are_named(write, change, message):
    path = write({"model": "unet", **OK, "files": [file()], **change})
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_weights_entries(path)
    assert str(caught.value).startswith(f"{path}, weights 'odd'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": None}, "field 'title': expected text, found nothing"),
        ({"archive": []}, "unknown field 'archive'"),
        ({"state": "gated"}, "state 'gated' needs a 'reason'"),
        ({"archives": [file(name="a/b.zip")]}, "without folders"),
        (
            {"archives": [file(sha1=SHA[:39])]},
            "'archives.a.pth..sha1': expected a sha1 .40 digits 0-9a-f., found",
        ),
        ({"archives": [file(sha1=[SHA[:40]])]}, "sha1': expected text, found ."),
        (
            {"splits": {"train": {"also": 3}}},
            "'splits.train.also': expected fields by name, found 3",
        ),
        ({"splits": ["train"]}, "field 'splits': expected fields by name, found"),
        ({"splits": {"train": 3}}, "'splits.train': expected fields by name, found 3"),
        (
            {"splits": {"train": {"image": 3}}},
            "unknown field 'splits.train.image'. Did you mean 'images'",
        ),
        (
            {"splits": {"train": {"images": "3"}}},
            "'splits.train.images': expected a whole number, found '3'",
        ),
        ({"settings": 3}, "field 'settings': expected fields by name, found 3"),
    ],
)
def test_broken_datasets_are_named(write, change, message):
    path = write({"title": "Odd", **OK, **change})
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_dataset_entries(path)
    assert str(caught.value).startswith(f"{path}, dataset 'odd'")


def entry_of(*sums, names="ab", **changes):
    pairs = zip(names, sums, strict=True)
    files = tuple(
        RemoteFile(name=name, url=f"https://host/{name}", sha256=tuple(one)) for name, one in pairs
    )
    fields = {"name": "odd", "model": "unet", "state": "ok", "source": "here", **changes}
    return WeightsEntry(files=files, **fields)


def test_identities_are_what_the_digest_of_a_folder_may_be(tmp_path):
    """Of one file, of several, of our own format, and of every combination of accepted sums."""
    for name, content in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).write_bytes(content)
    sums = {name: sha256_of_file(tmp_path / name) for name in "ab"}
    assert entry_of([SHA], names="a").identities == (SHA,)
    assert entry_of([sums["a"]], [sums["b"]]).identities == (weights_digest(tmp_path),)
    found = entry_of([sums["a"], SHA], [SHA, sums["b"]]).identities
    assert len(set(found)) == 4
    assert weights_digest(tmp_path) in found
    (tmp_path / "model.safetensors").write_bytes(b"3")
    own = entry_of([SHA], [sums["a"]], names=("model.json", "model.safetensors"))
    assert own.identities == (sums["a"],)
    assert weights_digest(tmp_path) == sha256_of_file(tmp_path / "model.safetensors")


def test_without_all_sums_there_is_no_identity():
    half = entry_of([SHA], [], unseen=True)
    assert (half.identities, half.unknown, half.pinned) == ((), False, "no")
    none = entry_of([], [], unseen=True)
    assert (none.identities, none.unknown, none.pinned) == ((), True, "no")
    assert entry_of([SHA], [SHA]).pinned == "first sight"
    assert entry_of(names="", state="lost", reason="gone").identities == ()


def test_who_vouches_for_weights(write):
    theirs = [file(sha256_from="authors"), file(name="b", sha256_from="authors")]
    path = write({"model": "unet", **OK, "files": theirs})
    assert load_weights_entries(path)["odd"].pinned == "authors"
    path = write({"model": "unet", **OK, "files": [theirs[0], file(name="b")]})
    assert load_weights_entries(path)["odd"].pinned == "first sight"


def test_an_address_at_a_revision(write):
    branch = "https://host/x/resolve/main/a.pth"
    path = write({"model": "unet", **OK, "files": [file(url=branch, revision=COMMIT)]})
    (found,) = load_weights_entries(path)["odd"].files
    assert (found.url, found.address) == (branch, f"https://host/x/resolve/{COMMIT}/a.pth")


def test_the_identity_does_not_depend_on_the_order_of_files():
    assert weights_identity({"a": SHA, "b": COMMIT}) == weights_identity({"b": COMMIT, "a": SHA})


def test_unknown_names_suggest_the_nearest(project):
    with pytest.raises(UnknownNameError, match="Did you mean 'camvid'"):
        load_dataset_entry("camvit")
    with pytest.raises(UnknownNameError, match="Did you mean 'espnet-p2-q8-camvid'"):
        load_weights_entry("espnet-p2-q8")
