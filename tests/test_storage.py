"""Where bytes live: links into DVC's cache, and a remote from which a clone brings everything."""

from __future__ import annotations

import configparser
import hashlib
import stat
from pathlib import Path

import pytest
import yaml
from dvc_project import CHECKOUT, Repository, build

STAGES = ("resolve", "generate@shapes", "weights@published", "evaluate@published-plain")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Data, weights and evidence, linked into the cache; nothing is trained."""
    made = build(tmp_path_factory.mktemp("dvc") / "project")
    configure(made, "hardlink")
    assert made.repro(*STAGES)[0] == set(STAGES)
    return made


def configure(repository: Repository, links: str) -> None:
    """What `dvc config cache.type` and `dvc remote add` write, without their seconds."""
    storage = repository.root.parent / "storage"
    (repository.root / ".dvc" / "config").write_text(
        f"[core]\n    remote = storage\n[cache]\n    type = {links}\n"
        f"['remote \"storage\"']\n    url = {storage}\n"
    )


def outputs(repository: Repository) -> list[Path]:
    folders = ("data/shapes", "weights/released", "reports/local")
    paths = (path for folder in folders for path in (repository.root / folder).rglob("*"))
    # Of the records of machine and seconds DVC knows nothing.
    return sorted(path for path in paths if path.is_file() and path.parent.name != "records")


def contents(repository: Repository) -> dict[str, str]:
    return {
        str(path.relative_to(repository.root)): hashlib.md5(path.read_bytes()).hexdigest()
        for path in outputs(repository)
    }


def cached(repository: Repository) -> Path:
    return repository.root / ".dvc" / "cache" / "files" / "md5"


def is_link(path: Path, cache: Path) -> bool:
    """Whether a file shares its bytes with the cache, as a symbolic or as a hard link."""
    if path.is_symlink():
        return cache in path.resolve().parents
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    return path.samefile(cache / digest[:2] / digest[2:])


def test_the_repository_asks_for_links() -> None:
    """What stands in .dvc/config is what docs/storage.md says."""
    config = configparser.ConfigParser()
    config.read_string((CHECKOUT / ".dvc" / "config").read_text().replace("    ", ""))
    assert config["cache"]["type"].strip('"') == "reflink,hardlink,symlink,copy"


def test_outputs_are_links_into_the_cache(repository: Repository) -> None:
    assert_linked(repository, "hardlink")


def test_a_clone_brings_everything_from_a_remote(repository: Repository, tmp_path: Path) -> None:
    repository.run("dvc", "push", *STAGES)
    before = contents(repository)
    assert {Path(name).parts[0] for name in before} == {"data", "weights", "reports"}
    made = {Path(name).parts[2] for name in before if name.startswith("reports")}
    assert made == {"datasets", "evidence", "figures", "metrics", "stages"}
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "everything")

    root = tmp_path / "clone"
    repository.git("clone", "-q", str(repository.root), str(root))
    nothing = {"SEGMODELS_MIRROR": str(tmp_path), "PYTHONPATH": str(root)}
    clone = Repository(root, {**repository.environment, **nothing})
    assert outputs(clone) == []
    clone.run("dvc", "pull", *STAGES)
    assert contents(clone) == before
    locked = yaml.safe_load((root / "dvc.lock").read_text())["stages"]["weights@published"]
    assert locked["outs"][0]["nfiles"] == 2
    ran, output = clone.repro(*STAGES)
    assert (ran, "Data and pipelines are up to date" in output) == (set(), True), output


def test_replacing_links_leaves_the_cache_alone(repository: Repository) -> None:
    """Linked files are read-only and shared, also for root, who may write them all the same."""
    first = contents(repository)
    configure(repository, "symlink")
    repository.edit("datasets.yaml", "seed: 0", "seed: 1")
    assert repository.repro("generate@shapes")[0] == {"resolve", "generate@shapes"}
    assert_linked(repository, "symlink", "data")
    second = contents(repository)
    assert first.keys() == second.keys()

    # Without DVC files are made in place of the links.
    repository.edit("datasets.yaml", "seed: 1", "seed: 0")
    repository.run("flows.stages", "resolve")
    repository.run("flows.stages", "prepare", "shapes")
    repository.run("segmodels.cli", "evaluate", "published", "--force")
    assert contents(repository) == first
    made = [path for path in outputs(repository) if "stages" not in path.parts]
    assert not any(path.is_symlink() for path in made)  # what stages are asked is as it was

    kept = [path for path in cached(repository).rglob("*") if path.is_file()]
    folders = [path for path in kept if path.suffix == ".dir"]
    assert len(folders) == 6  # images and what stages are asked twice, weights and evidence once
    assert len(kept) - len(folders) == len({*first.values(), *second.values()})
    for path in kept:
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        assert path.parent.name + path.name.removesuffix(".dir") == digest


def assert_linked(repository: Repository, kind: str, below: str = "") -> None:
    files = [path for path in outputs(repository) if (repository.root / below) in path.parents]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}
    assert {path.is_symlink() for path in files} == {kind == "symlink"}
    assert all(is_link(path, cached(repository)) for path in files)
