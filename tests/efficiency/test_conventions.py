"""A convention is data: explained, hashed without its words, and refused when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from segmodels.efficiency import Convention, load_conventions
from segmodels.efficiency.convention import load_convention
from segmodels.errors import SegmodelsError, UnknownNameError

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_convention_is_explained():
    page = (REPOSITORY / "docs" / "efficiency.md").read_text()
    for name in yaml.safe_load((REPOSITORY / "params" / "efficiency.yaml").read_text()):
        assert f"`{name}`" in page


def test_a_digest_holds_the_rule_and_not_its_description():
    one = load_convention("ops-segformer")
    assert one.digest == Convention(**{**vars(one), "title": "x", "source": "y"}).digest
    assert one.digest == Convention(**{**vars(one), "counts": one.counts[::-1]}).digest
    assert one.digest != Convention(**{**vars(one), "version": 2}).digest
    assert one.digest != load_convention("ops-segformer-150").digest
    with pytest.raises(UnknownNameError, match="Did you mean 'ops-segformer'"):
        load_convention("ops-segfomer")


OPERATIONS = {
    "version": 1,
    "title": "t",
    "source": "s",
    "quantity": "operations",
    "part": "whole",
    "unit": "MACs",
    "counts": ["linear"],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"unit": "FLOPs"},
            "convention 'x': field 'unit': expected 'MACs', '2xMACs' or '2xMACs/2', found 'FLOPs'",
        ),
        ({"counts": []}, "`counts` must list"),
        ({"counts": ["softmax"]}, "field 'counts.0.': expected 'convolution', .* found 'softmax'"),
        ({"counts": "linear"}, "'counts': expected a list, found 'linear'"),
        ({"quantity": "seconds"}, "'quantity': expected 'parameters' or 'operations'"),
        ({"part": "neck"}, "field 'part': expected 'whole'"),
        ({"classes": 0}, "field 'classes': expected above 0, found 0"),
        ({"unused": True}, "are for parameters"),
        ({"quantity": "parameters"}, "are for operations"),
        ({"unit": None}, "`unit` is missing: MACs or 2xMACs or 2xMACs/2"),
        ({"factor": 0.9}, "unknown field 'factor'"),
        ({"source": None}, "field 'source': expected text, found nothing"),
    ],
)
def test_mistakes_in_a_convention_are_named(tmp_path, changes, message):
    path = tmp_path / "efficiency.yaml"
    path.write_text(yaml.dump({"x": {**OPERATIONS, **changes}}))
    with pytest.raises(SegmodelsError, match=message) as error:
        load_conventions(path)
    assert str(path) in str(error.value)
