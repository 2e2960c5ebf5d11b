"""The page about protocols says what the protocols are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segmodels import cli
from segmodels.core.docstrings import attributes_of
from segmodels.protocols.fields import EFFECTS
from segmodels.protocols.page import render
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocols

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE, PAGE = REPOSITORY / "params" / "protocols.yaml", REPOSITORY / "docs" / "protocols.md"


def page(*protocols: Protocol) -> str:
    return render({protocol.name: protocol for protocol in protocols})


def row(text: str, name: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith("|") and f"`{name}`" in line)
    return line


def test_the_committed_page_is_what_the_command_writes() -> None:
    assert render(load_protocols(SOURCE)) == PAGE.read_text()


def test_the_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "protocols.yaml").write_text("lone: {version: 1, title: Lone}\n")
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    assert cli.main(["protocols"]) == 0
    assert capsys.readouterr().out.endswith("protocols.md\n")
    assert "| `lone` |" in (tmp_path / "docs" / "protocols.md").read_text()


def test_every_field_is_described_and_what_it_does_to_a_number_is_told() -> None:
    fields = set(Protocol.model_fields)
    assert set(attributes_of(Protocol)) == fields
    words = {"name", "version", "title", "source", "datasets"}
    assert set(EFFECTS) == fields - words


def test_every_protocol_has_a_row_and_a_source() -> None:
    text, protocols = PAGE.read_text(), load_protocols(SOURCE)
    table, sources = text.split("## Where they were read")
    for name, protocol in protocols.items():
        assert row(table, name)
        (line,) = (x for x in sources.splitlines() if f"`{name}`" in x)
        assert protocol.source in line


def test_what_measures_the_same_shares_a_row() -> None:
    twin = {"window": 512, "stride": 480}
    text = page(
        Protocol(name="a", version=1, title="a", **twin),
        Protocol(name="b", version=1, title="t", **twin),
        Protocol(name="c", version=1, title="c"),
    )
    assert row(text, "a") == row(text, "b")
    assert row(text, "a") != row(text, "c")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "| own size | whole |  | 1 |  |"),
        ({"resize_short": 512, "resize_long": 2048}, "| 512 ≤ 2048 | whole |"),
        ({"resize_short": 512, "resize_multiple": 32}, "| 512, resized to multiples of 32 |"),
        ({"pad_multiple": 32}, "| own size, padded to multiples of 32 |"),
        ({"resize_fixed": 512}, "| squashed to 512 |"),
        ({"resize_fixed": (512, 1024)}, "| squashed to 512x1024 |"),
        ({"window": 64, "stride": 48}, "| 64, 48 | window clipped |"),
        ({"window": (64, 96), "stride": 48}, "| 64x96, 48 | window clipped |"),
        ({"window": 64, "stride": 48, "enlarge": True}, "| 64, 48 | enlarged |"),
        ({"scales": (0.5, 1.0), "flip": True}, "| 0.5, 1; flip |"),
        ({"average": "logits", "void": "error"}, "| average logits, void error |"),
        ({"upsample_once": True}, "| upsample_once |"),
        ({"ignore_classes": ("sky", "sea")}, "| without sky, sea |"),
    ],
)
def test_a_row_says_what_the_protocol_says(fields: dict[str, object], said: str) -> None:
    assert said in row(page(Protocol(name="a", version=1, title="a", **fields)), "a")  # type: ignore[arg-type]


@pytest.mark.parametrize("field", sorted(EFFECTS))
def test_no_field_is_left_out_of_the_rows(field: str) -> None:
    """Two protocols that differ in one field must look different on the page."""
    other = {
        "resize_long": {"resize_short": 8, "resize_long": 9},
        "resize_fixed": {"resize_fixed": 8},
        "resize_library": {"resize_library": "torch"},
        "normalize": {"normalize": "fused"},
        "labels_resized": {"resize_fixed": 8, "labels_resized": True},
        "labels_resized_by": {
            "resize_fixed": 8,
            "labels_resized": True,
            "labels_resized_by": "nearest",
        },
        "statistics_order": {"statistics_order": "reversed"},
        "whole_image": {"resize_short": 8, "resize_library": "pillow", "whole_image": 8},
        "window": {"window": 9, "stride": 8},
        "stride": {"window": 8, "stride": 8},
        "enlarge": {"window": 8, "stride": 7, "enlarge": True},
        "scales": {"scales": (2.0,)},
        "flip": {"flip": True},
        "upsample_once": {"upsample_once": True},
        "average": {"average": "logits"},
        "argmax_at": {"argmax_at": "input"},
        "precision": {"precision": "bf16"},
        "void": {"void": "error"},
        "ignore_classes": {"ignore_classes": ("sky",)},
    }.get(field, {field: 8})
    base = {
        "resize_long": {"resize_short": 8},
        "labels_resized_by": {"resize_fixed": 8, "labels_resized": True},
        "whole_image": {"resize_short": 8, "resize_library": "pillow"},
        "window": {"window": 8, "stride": 8},
        "stride": {"window": 8, "stride": 7},
        "enlarge": {"window": 8, "stride": 7},
    }.get(field, {})
    one, two = (
        re.sub("`.`", "", row(page(Protocol(name="a", version=1, title="a", **f)), "a"))
        for f in (base, other)
    )  # type: ignore[arg-type]
    assert one != two
