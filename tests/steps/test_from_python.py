"""Evaluating from Python gives the evidence that the command gives, for networks of any origin."""

from __future__ import annotations

from pathlib import Path

import own_images
import own_network
import pytest
import small_project
import torch
from torch import nn

import segmodels as sm
from segmodels import cli, steps
from segmodels.core import paths
from segmodels.core.files import read_json
from segmodels.models.segformer import SegFormer

HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "range": 1}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return own_images.describe(own_images.draw(tmp_path / "mine"))


def small(classes: int = 8) -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, classes, 1))


def test_the_command_counts_the_same(root: Path) -> None:
    own_network.write(root)
    counted = {}
    for run in ("own", "ready"):
        assert cli.main(["evaluate", run, "--protocol", "plain"]) == 0
        (file,) = (paths.evidence() / run / "plain").glob("*.json")
        counted[run] = sm.read_evidence(file)
    torch.manual_seed(0)
    ready = sm.own_model("nets/mynet.py:build", num_classes=8, overrides={"width": 4})
    folder = paths.trained_weights("own")
    own = sm.own_model("nets/mynet.py:build", num_classes=8, weights=folder)
    for run, model in {"own": own, "ready": ready}.items():
        found = sm.evaluate(model, "shapes", "plain", split="test")
        assert found.key == counted[run].key
        assert found.images == counted[run].images


def test_released_weights_by_name_path_and_network(root: Path) -> None:
    steps.ensure_dataset("shapes")
    steps.fetch_released("published")
    counted = steps.evaluate_run("published", "plain")
    folder = paths.released_weights("published")
    assert sm.evaluate("published", "shapes", "plain", split="test") == counted
    for model in (folder, str(folder), sm.load_checkpoint(folder)):
        found = sm.evaluate(model, "shapes", sm.load_protocol("strict"), split="test")
        assert found.key == counted.key
        assert found.images == counted.images


def test_any_module_on_a_file_of_ones_own(
    root: Path, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    network = small()
    network.preprocessing = HALF  # type: ignore[assignment]
    network.train()
    evidence = sm.evaluate(network, mine, "plain", progress=lambda *done: seen.append(done))
    assert network.training
    assert seen == [(1, 2), (2, 2)]
    assert evidence.complete
    assert evidence.identity.model["name"] == "torch.nn.modules.container:Sequential"
    assert evidence.identity.model.keys() == {"name", "structure", "num_classes"}
    again = sm.evaluate(small(), str(mine), "plain", preprocessing=HALF, split="val")
    assert again == evidence

    path = sm.write_evidence(tmp_path / "evidence", evidence)
    assert cli.main(["evidence", "check", str(path.parent)]) == 0
    assert "ok, 2 images, labels not here to compare with" in capsys.readouterr().out
    assert sm.read_evidence(path) == evidence
    assert cli.main(["data", "add", str(mine)]) == 0
    named = sm.evaluate(network, "mine", "plain")
    assert named == evidence
    capsys.readouterr()
    assert cli.main(["evidence", "check", str(path)]) == 0
    assert "ok, 2 images, pixels as in the labels" in capsys.readouterr().out


def test_scores(root: Path, mine: Path) -> None:
    evidence = sm.evaluate(small(), mine, "views", preprocessing=HALF)
    found = sm.score(evidence, "views")
    assert list(found.per_class) == list(own_images.CLASSES)
    assert found == sm.score(evidence, sm.load_protocol("views"))
    with pytest.raises(sm.SegmodelsError, match="was not counted under protocol 'plain'"):
        sm.score(evidence, "plain")


def test_the_first_images_alone(root: Path, mine: Path) -> None:
    whole = sm.evaluate(small(), mine, "plain", preprocessing=HALF)
    part = sm.evaluate(small(), mine, "plain", preprocessing=HALF, limit=1)
    assert part.images == whole.images[:1]
    assert not part.complete
    assert part.key != whole.key


def test_an_opened_split(root: Path, mine: Path) -> None:
    train = sm.load_dataset(mine, "train")
    evidence = sm.evaluate(small(), train, "plain", preprocessing=HALF)
    assert evidence.identity.split == "train"
    assert len(evidence.images) == 4
    assert sm.load_dataset(train) is train


def test_what_a_network_holds_is_its_name(root: Path, mine: Path) -> None:
    def model(network: nn.Module) -> dict[str, object]:
        return sm.evaluate(network, mine, "plain", preprocessing=HALF, limit=1).identity.model

    assert model(small()) == model(small())
    other = small()
    other[1] = nn.ELU()
    assert model(other) != model(small())


BLOCK = """
from torch import nn

class Block(nn.Module):
    def forward(self, images):
        return {}
"""


def test_code_of_a_file_a_notebook_and_a_layer_is_a_part_of_it(
    root: Path, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def model(*layers: nn.Module) -> dict[str, object]:
        network = nn.Sequential(*layers)
        return sm.evaluate(network, mine, "plain", preprocessing=HALF, limit=1).identity.model

    def in_notebook(code: str) -> nn.Module:
        names = {"__name__": "nowhere_on_disk"}
        exec(BLOCK.format(code), names)
        return names["Block"]()  # type: ignore[operator]

    def in_file(code: str) -> nn.Module:
        import importlib
        import sys

        (tmp_path / "own_blocks_of_test.py").write_text(BLOCK.format(code) + f"# {code}\n")
        importlib.invalidate_caches()
        sys.modules.pop("own_blocks_of_test", None)
        return importlib.import_module("own_blocks_of_test").Block()  # type: ignore[no-any-return]

    monkeypatch.syspath_prepend(tmp_path)
    for block in (in_notebook, in_file):
        one, same, other = (
            model(*small(), block(code)) for code in ("images", "images", "-images")
        )
        assert one == same
        assert one["source"] != other["source"]
        assert one["structure"] == other["structure"]
    plain, hooked, other = small(), small(), small()
    hooked[0].register_forward_hook(lambda layer, given, out: -out)
    other[0].register_forward_hook(lambda layer, given, out: 2 * out)
    assert len({str(model(*one).get("source")) for one in (plain, hooked, other)}) == 3


class Disguised(SegFormer):
    """Another network under the name and with the tensors of a known one."""

    def forward_lowres(self, images: torch.Tensor) -> torch.Tensor:
        return -super().forward_lowres(images)


def test_a_subclass_is_not_what_its_config_says(root: Path, mine: Path) -> None:
    known = sm.create_model("segformer_nano", 8)
    disguised = Disguised(
        SegFormer.Config(**{k: v for k, v in known.config.items() if k != "name"})
    )
    disguised.load_state_dict(known.state_dict())
    disguised.config, disguised.preprocessing = known.config, known.preprocessing
    found = sm.evaluate(disguised, mine, "plain")
    assert found.identity.model["name"].endswith(":Disguised")
    assert sm.evaluate(known, mine, "plain").identity.model["name"] == "segformer_nano"


def test_outputs_of_other_libraries(root: Path, mine: Path) -> None:
    class Torchvision(nn.Sequential):
        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"out": super().forward(images), "aux": images}

    class Transformers(nn.Sequential):
        def forward(self, images: torch.Tensor) -> object:
            return type("Output", (), {"logits": super().forward(images)})()

    plain = sm.evaluate(small(), mine, "plain", preprocessing=HALF)
    for kind in (Torchvision, Transformers):
        found = sm.evaluate(kind(*small()), mine, "plain", preprocessing=HALF)
        assert found.images == plain.images


def test_sides_may_have_to_be_a_multiple(root: Path, mine: Path) -> None:
    class Picky(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if any(side % 32 for side in images.shape[-2:]):
                raise RuntimeError("sides must be divisible by 32")
            return super().forward(images)

    with pytest.raises(sm.SegmodelsError, match=r"divisible by 32.*net.size_multiple = 32"):
        sm.evaluate(Picky(*small()), mine, "plain", preprocessing=HALF)
    network = Picky(*small())
    network.size_multiple = 32
    network.num_classes = 8
    assert sm.evaluate(network, mine, "plain", preprocessing=HALF).complete


def test_outputs_behind_the_classes_are_stated(root: Path, mine: Path) -> None:
    network = small(9)
    network.extra_outputs = 2
    with pytest.raises(sm.SegmodelsError, match=r"has 9 outputs.*\(it says extra_outputs = 2\)"):
        sm.evaluate(network, mine, "plain", preprocessing=HALF)
    network.extra_outputs = 1
    assert sm.evaluate(network, mine, "plain", preprocessing=HALF).outputs == 9


def test_tensors_may_be_shared(root: Path, mine: Path) -> None:
    network = small()
    network.again = network[0]
    network.forward = lambda images: nn.Sequential.forward(network[:3], images)  # type: ignore[method-assign]
    assert sm.evaluate(network, mine, "plain", preprocessing=HALF).complete


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dataset": "shape"}, "Unknown dataset 'shape'. Did you mean 'shapes'"),
        ({"dataset": "no.yaml"}, "no.yaml: no such file"),
        ({"dataset": 3}, "argument 'dataset': expected a name, a file"),
        ({"split": "valid"}, "Unknown split of mine 'valid'"),
        ({"protocol": "plane"}, "Unknown protocol 'plane'. Did you mean 'plain'"),
        ({"protocol": 3}, "argument 'protocol'"),
        ({"model": 3}, "argument 'model': expected a network, or the name or path of one"),
        ({"model": "segformer_nano"}, "is a network without weights"),
        ({"model": "publisht"}, "Unknown model or weights 'publisht'. Did you mean 'published'"),
        ({"model": "mynet.py:build"}, "there is no file"),
        ({"preprocessing": None}, "does not say how pixels become its input"),
        ({"preprocessing": {"mean": 0}}, "Preprocessing lacks the field 'std'"),
        ({"limit": 0}, "argument 'limit'"),
        ({"device": "nowhere"}, "cannot be moved to device 'nowhere'"),
        ({"model": small(3)}, "has 3 outputs, but mine has 8 classes"),
        ({"model": small(12)}, "mine has 8 classes. If the first 8 are these classes, in this "),
    ],
)
def test_faults(root: Path, mine: Path, changes: dict[str, object], told: str) -> None:
    given = {"model": small(), "dataset": mine, "protocol": "plain", "preprocessing": HALF}
    with pytest.raises(sm.SegmodelsError) as caught:
        sm.evaluate(**{**given, **changes})  # type: ignore[arg-type]
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_images_are_named(root: Path, mine: Path) -> None:
    (mine.parent / "images/val/1.png").write_bytes(b"no picture")
    with pytest.raises(sm.SegmodelsError, match=r"images/val/1.png: cannot be decoded"):
        sm.evaluate(small(), mine, "plain", preprocessing=HALF)


def test_nothing_is_written_into_the_project(root: Path, mine: Path) -> None:
    sm.evaluate(small(), mine, "plain", preprocessing=HALF)
    assert not paths.local().exists()
    assert not [path for path in (root / ".cache").rglob("*.jsonl") if "surveys" not in path.parts]
    assert read_json(root.parent / "mirror/model.json")["format"] == "segmodels"
