"""Evidence that was damaged, edited or made up: refused in one line that names the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import campaign, mangled, mutated

from segmodels.core.files import digest
from segmodels.errors import SegmodelsError
from segmodels.evidence import evidence_files, read_evidence
from segmodels.evidence.files import read_head
from segmodels.evidence.head import counts_text
from segmodels.metrics import score
from segmodels.protocols import load_protocol

pytestmark = pytest.mark.fuzz

PUBLISHED = Path(__file__).resolve().parents[2] / "reports" / "evidence" / "camvid-unet-half"


def resigned(head: Any, counts: bytes) -> Any:
    """An edit by somebody who also brings the checksums up to date, as far as there are any."""
    if not isinstance(head, dict):
        return head
    head["counts_sha256"] = hashlib.sha256(counts).hexdigest()
    head.pop("record_sha256", None)
    try:
        return {**head, "record_sha256": digest(head)}
    except (TypeError, ValueError):
        return head


def test_evidence(tmp_path: Path) -> None:
    source = evidence_files(PUBLISHED)[0]
    head = read_head(source)
    lines = counts_text(read_evidence(source).images).decode().splitlines()
    path, counts_path = tmp_path / source.name, tmp_path / f"{source.stem}.counts.jsonl"
    plain = load_protocol("camvid-half")
    refused: list[str] = []

    @campaign()
    @given(st.data())
    def wrong(data: Any) -> None:
        new, few = data.draw(mutated(head)), list(lines)
        number = data.draw(st.integers(0, len(few) - 1))
        if data.draw(st.booleans()):
            few[number] = json.dumps(data.draw(mutated(json.loads(few[number]))))
        elif data.draw(st.booleans()):
            few[number] = data.draw(mangled(few[number]))
        counts = ("\n".join(few) + "\n").encode("utf-8", "surrogatepass")
        new = resigned(new, counts) if data.draw(st.booleans()) else new
        path.write_text(json.dumps(new))
        counts_path.write_bytes(counts)
        try:
            score(read_evidence(path), plain)
        except SegmodelsError as error:
            refused.append(str(error))
            assert str(tmp_path) in str(error) or "protocol" in str(error)  # noqa: PT017

    wrong()
    assert refused


@pytest.mark.parametrize("value", [None, [], 3, "x", {}])
def test_another_json_in_its_place(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "0123456789abcdef.json"
    path.write_text(json.dumps(value))
    with pytest.raises(SegmodelsError, match=r"0123456789abcdef\.json: "):
        read_evidence(path)
