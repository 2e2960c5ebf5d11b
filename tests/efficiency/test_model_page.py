"""The page about the models says what the networks are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from segmodels import cli
from segmodels.checkpoints import FORMATS
from segmodels.efficiency import cost
from segmodels.efficiency.model_page import load_families, render
from segmodels.errors import SegmodelsError
from segmodels.models import create_model, list_models
from segmodels.models.undrawn import Undrawn

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE, PAGE = REPOSITORY / "params" / "models.yaml", REPOSITORY / "docs" / "models.md"


def test_every_model_and_every_format_stands_on_the_committed_page() -> None:
    """The head of the page and what is counted quickly must be what the code gives today."""
    text = PAGE.read_text()
    assert sorted(re.findall(r"^\| `(\w+)`", text, re.M)) == list_models()
    families = load_families(SOURCE)
    assert {name for family in families.values() for name in family.formats} == set(FORMATS)
    for form in FORMATS.values():
        assert f"- {form.looks}\n" in text
    for family in families.values():
        assert all(f"- {fact}\n" in text for fact in family.facts), family.title


@pytest.mark.parametrize("name", ["segformer_b1", "fcn_mobilenetv2", "depict_ca_vit_base_patch16"])
def test_figures_of_the_committed_page_are_counted(name) -> None:
    found = cost(name)
    row = f"| `{name}` | {found.parameters / 1e6:.2f} |"
    line = next(line for line in PAGE.read_text().splitlines() if line.startswith(row))
    assert f"| 512² | {found.macs / 1e9:.2f} |" in line


@pytest.mark.slow
def test_the_committed_page_is_what_the_command_writes() -> None:
    assert render(load_families(SOURCE)) == PAGE.read_text()


def test_printed_parameters_are_those_of_our_networks() -> None:
    """Within 3 % or a figure we say is off; a wrong width or depth would be far more."""
    off = {"segmenter_vit_base_patch16_mask", "segmenter_deit_base_distilled_patch16_mask"}
    for family in load_families(SOURCE).values():
        for name, printed in family.claimed.items():
            if printed.parameters and name not in off and "vit_large" not in name:
                with Undrawn(), torch.device("meta"):
                    network = create_model(name, family.classes, family.side(name))
                found = sum(one.numel() for one in network.parameters()) / 1e6
                assert found == pytest.approx(printed.parameters, rel=0.03, abs=0.005), name


def _broken(tmp_path: Path, **changes: object) -> Path:
    values = yaml.safe_load(SOURCE.read_text())
    values["unet"].update(changes)
    path = tmp_path / "models.yaml"
    path.write_text(yaml.dump(values))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ["unet", "fcn_*"]}, r"'fcn_\w+' belongs to fcn(-hrnet)? and unet"),
        ({"models": []}, "'unet' belongs to no family"),
        ({"claimed": {"vnet": {"source": "x"}}}, "'claimed' names 'vnet'"),
        ({"claimed": {"unet": {"params": 3}}}, "field 'claimed.unet.source' is missing"),
        ({"year": 2015}, "unknown field 'year'"),
        ({"facts": "none"}, "field 'facts': expected a list, found 'none'"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, message) -> None:
    with pytest.raises(SegmodelsError, match=message):
        load_families(_broken(tmp_path, **changes))


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "protocols.yaml").touch()
    (tmp_path / "params" / "models.yaml").write_text(SOURCE.read_text())
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    one = cost("segformer_nano")  # for all of them, since the words are tested elsewhere
    monkeypatch.setattr("segmodels.efficiency.cost", lambda *_: one)
    assert cli.main(["catalogue"]) == 0
    assert capsys.readouterr().out.endswith("models.md\n")
    assert "| `unet` |" in (tmp_path / "docs" / "models.md").read_text()
