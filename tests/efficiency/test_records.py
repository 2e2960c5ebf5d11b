"""Recorded counts: reproducible, read without torch, and current or told to be old."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from segmodels import cli
from segmodels.efficiency import Convention, Measured, Wanted, cost, count, load_conventions
from segmodels.efficiency.convention import load_convention
from segmodels.efficiency.record import (
    load_measured,
    read_wanted,
    write_measured,
)
from segmodels.errors import SegmodelsError

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = Wanted(
    model="segformer_nano", overrides={"num_classes": 7}, convention="ops-macs", height=64, width=64
)


def test_the_committed_report_is_what_is_counted_today():
    """Cheap entries only; the command writes the whole file again."""
    recorded = load_measured(REPOSITORY / "reports" / "efficiency.json")
    conventions = load_conventions(REPOSITORY / "params" / "efficiency.yaml")
    for one in recorded.values():
        assert one.is_current(conventions[one.wanted.convention]), one.wanted
    cheap = [one for key, one in recorded.items() if "_b0" in key or "tiny" in key]
    assert len(cheap) >= 8
    again = count([one.wanted for one in cheap], conventions)
    assert again == cheap
    assert [one.terms for one in again] == [one.terms for one in cheap]


def test_records_come_back_and_have_one_spelling(tmp_path):
    path = tmp_path / "efficiency.json"
    other = Wanted(
        model="segformer_nano",
        overrides={"drop_path": 0.1, "num_classes": 7},
        convention="params-used",
        height=64,
        width=64,
    )
    counts = count([SMALL, other])
    write_measured([*counts, counts[0]], path)
    before = path.read_bytes()
    write_measured(reversed(counts), path)
    assert path.read_bytes() == before
    found = load_measured(path)
    assert found == {one.wanted.key: one for one in counts}
    swapped = Wanted(
        model=other.model,
        overrides=dict(reversed(other.overrides.items())),
        convention="params-used",
        height=64,
        width=64,
    )
    assert found[swapped.key].figure == counts[1].value / 1e6


def test_an_older_count_is_told():
    (one,) = count([SMALL])
    convention = load_convention("ops-macs")
    assert one.is_current(convention)
    assert not one.is_current(Convention(**{**vars(convention), "version": 9}))
    older = Measured(
        wanted=one.wanted,
        quantity=one.quantity,
        value=one.value,
        terms=one.terms,
        digest=one.digest,
        counter=0,
    )
    assert not older.is_current(convention)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": 1}, "entry 1: 'value' is not the sum of 'terms'"),
        ({"height": "64"}, "entry 1: field 'height': expected a whole number, found '64'"),
        ({"quantity": "seconds"}, "'quantity': expected 'parameters' or 'operations', found"),
        ({"model": None}, "field 'model': expected text, found nothing"),
        ({"note": "x"}, "unknown field 'note'"),
    ],
)
def test_mistakes_in_a_record_are_named(tmp_path, changes, message):
    path = write_measured(count([SMALL]), tmp_path / "efficiency.json")
    values = json.loads(path.read_text())
    values["entries"][0].update(changes)
    path.write_text(json.dumps(values))
    with pytest.raises(SegmodelsError, match=message):
        load_measured(path)


def test_other_mistakes_in_files_are_named(tmp_path):
    path = write_measured(count([SMALL]), tmp_path / "efficiency.json")
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "entries": values["entries"] * 2}))
    with pytest.raises(SegmodelsError, match="entry 2: segformer_nano is counted twice"):
        load_measured(path)
    with pytest.raises(SegmodelsError, match="no such file"):
        load_measured(tmp_path / "nothing.json")
    path.write_text("{}")
    with pytest.raises(SegmodelsError, match="expected a list of counts, found dict"):
        read_wanted(path)


def test_reading_needs_no_torch():
    code = (
        "import sys; from segmodels.efficiency import load_measured, load_latency_protocols; "
        "assert load_measured() and load_latency_protocols(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_the_command_counts_what_claims_ask_for_or_a_list(tmp_path, monkeypatch, capsys):
    (tmp_path / "params" / "claims").mkdir(parents=True)
    (tmp_path / "params" / "protocols.yaml").touch()
    source = REPOSITORY / "params" / "efficiency.yaml"
    (tmp_path / "params" / "efficiency.yaml").write_text(source.read_text())
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["efficiency"]) == 0
    assert load_measured() == {}  # no claims, nothing wanted
    capsys.readouterr()
    asked = {"model": SMALL.model, "overrides": {"num_classes": 7}, "convention": "ops-macs"}
    (tmp_path / "wanted.json").write_text(json.dumps([{**asked, "height": 64, "width": 64}]))
    assert cli.main(["efficiency", "--wanted", "wanted.json"]) == 0
    assert capsys.readouterr().out == "reports/efficiency.json\n"
    found = cost("segformer_nano", 7, (64, 64)).macs
    assert load_measured()[SMALL.key].value == found
