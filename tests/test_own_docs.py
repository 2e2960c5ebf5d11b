"""What docs/own.md shows a new user, done as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import own_images
import pytest
import small_project

import segmodels as sm
from segmodels import cli
from segmodels.core import paths

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENT = (REPOSITORY / "docs" / "own.md").read_text(encoding="utf-8")

#: The files that the document shows, by their name in the first line.
SHOWN = {
    match[1]: match[0].partition("\n")[2].removesuffix("```")
    for match in re.finditer(r"```\w+\n# ([\w./-]+\.\w+).*?```", DOCUMENT, re.DOTALL)
}

PROTOCOLS = """
whole-ss: {version: 1, title: whole image}
whole-ms: {version: 1, title: two scales, scales: [0.5, 1.0], flip: true}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    with (root / "params/protocols.yaml").open("a") as protocols:
        protocols.write(PROTOCOLS)
    for name, text in SHOWN.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(4):
            label = random.integers(0, 3, (40, 50), dtype=np.uint8)
            image = np.repeat(80 * label[..., None], 3, axis=2)
            own_images.save(root / f"labels/{split}/{number}.png", label)
            own_images.save(root / f"images/{split}/{number}.jpg", image)
    (root / "more.txt").write_text("val/1\n")
    return root


def test_the_tour(root: Path) -> None:
    for command in ("data check leaves.yaml", "data add leaves.yaml"):
        assert cli.main(command.split()) == 0
    recipe = root / "params/recipes/leaves.yaml"
    recipe.write_text(recipe.read_text().replace("300", "3").replace("20", "1"))
    for command in ("train leaves-mynet", "evaluate leaves-mynet", "leaderboard"):
        assert command in DOCUMENT
        assert cli.main(command.split()) == 0
    assert "leaves-mynet" in (paths.local() / "leaderboard.md").read_text()
    (call,) = re.findall(r"`segmodels\.(own_model\(.*?\))`", DOCUMENT, re.DOTALL)
    net = eval(f"sm.{call}", {"sm": sm})
    shown = re.search(r"```python\nimport segmodels as sm\n(.*?)```", DOCUMENT, re.DOTALL)
    assert shown
    names = {"sm": sm, "net": net}
    exec(shown[1], names)
    (file,) = (paths.evidence() / "leaves-mynet/whole-ss").glob("*.json")
    assert names["evidence"].key == file.stem
    assert cli.main(["evidence", "check", "mine"]) == 0


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("nets/from_torchvision.py", "torchvision"),
        ("nets/from_smp.py", "segmentation_models_pytorch"),
        ("nets/from_transformers.py", "transformers"),
    ],
)
def test_networks_of_other_libraries(root: Path, name: str, library: str) -> None:
    pytest.importorskip(library)
    net = sm.own_model(f"{name}:build", num_classes=3)
    evidence = sm.evaluate(net, root / "leaves.yaml", "whole-ss", limit=1)
    assert evidence.identity.model["name"] == f"{Path(name).name}:build"
    assert evidence.outputs == 3


def test_torchvision_in_training(root: Path) -> None:
    assert cli.main(["data", "add", "leaves.yaml"]) == 0
    run = root / "params/runs/leaves-mynet.yaml"
    text = run.read_text().replace("mynet.py", "from_torchvision.py").replace("{width: 48}", "{}")
    run.write_text(text.replace("recipe: leaves", "recipe: tiny"))
    assert cli.main(["train", "leaves-mynet"]) == 0
    assert cli.main(["evaluate", "leaves-mynet", "--protocol", "whole-ss"]) == 0


def test_transformers_and_this_library_give_the_same_counts(root: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {
        "depths": [1] * 4,
        "hidden_sizes": [8, 16, 24, 32],
        "num_attention_heads": [1, 1, 2, 2],
    }
    config = transformers.SegformerConfig(num_labels=3, decoder_hidden_size=32, **sizes)
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / "saved")
    folder = str(tmp_path / "saved")
    theirs = sm.own_model(
        "nets/from_transformers.py:build", num_classes=3, overrides={"folder": folder}
    )
    ours = sm.load_checkpoint(folder)
    ours.preprocessing = theirs.preprocessing
    found = [sm.evaluate(one, root / "leaves.yaml", "whole-ss") for one in (theirs, ours)]
    assert found[0].images == found[1].images
    assert found[0].key != found[1].key
