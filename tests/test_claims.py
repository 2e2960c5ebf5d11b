from __future__ import annotations

import csv

import pytest

from segmodels.assets import load_dataset_entries, load_weights_entries
from segmodels.claims import load_claim, load_claims
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.protocols import load_protocols

CLAIM = """\
  - id: {id}
    model: m
    dataset: d
    split: val
    metric: mIoU
    value: {value}
    decimals: 1
    protocol: p
    source: Table 1
"""


@pytest.fixture
def write(tmp_path):
    def _write(*claims, name="paper.yaml", head="paper: p\ntitle: T\nclaims:\n"):
        (tmp_path / name).write_text(head + "".join(claims))
        return tmp_path

    return _write


def test_everything_a_claim_of_this_project_names_exists():
    protocols, weights, datasets = load_protocols(), load_weights_entries(), load_dataset_entries()
    for claim in load_claims().values():
        assert claim.protocol in protocols
        assert claim.weights in weights
        assert claim.dataset in datasets
        assert weights[claim.weights].model == claim.model
        assert claim.source
        assert claim.url.startswith("https://")
        assert round(claim.value, claim.decimals) == claim.value


def test_the_first_claims():
    claims = load_claims()
    assert claims["espnet_p2_q8_camvid"].value == 55.64
    assert claims["depict_sa_l_cityscapes_ms"].decimals == 0
    assert sum(claim.paper == "depict" for claim in claims.values()) == 6


def test_claims_repeat_what_was_collected(mirror):
    with (mirror / "facts" / "claims.csv").open(newline="") as file:
        collected = {row["claim_id"]: row for row in csv.DictReader(file)}
    shared = [claim for claim in load_claims().values() if claim.id in collected]
    assert len(shared) >= 6
    for claim in shared:
        row = collected[claim.id]
        assert claim.value == float(row["value"])
        assert (claim.model, claim.dataset, claim.split) == (
            row["model"],
            row["dataset"],
            row["split"],
        )


def test_claims_of_all_papers_are_read(write):
    write(CLAIM.format(id="one", value=50))
    folder = write(CLAIM.format(id="two", value=51.5), name="other.yaml")
    claims = load_claims(folder)
    assert list(claims) == ["two", "one"]
    assert isinstance(claims["one"].value, float)
    assert load_claim("two", folder).title == "T"


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (CLAIM.format(id="a", value=101), "'value' is a percentage, not 101"),
        (CLAIM.format(id="a", value="high"), "field 'value' must be float"),
        (CLAIM.format(id="a", value=50) + "    vaule: 3\n", "unknown field 'vaule'"),
        (
            CLAIM.format(id="a", value=50).replace("    source: Table 1\n", ""),
            "'source' is missing",
        ),
        (CLAIM.format(id="a", value=50) * 2, "claim id 'a' occurs twice"),
        ("  - just text\n", "expected fields, found str"),
    ],
)
def test_a_broken_claim_is_named(write, claim, message):
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_claims(write(claim))
    assert "paper.yaml" in str(caught.value)


def test_a_file_without_claims_is_refused(write):
    with pytest.raises(SegmodelsError, match="field 'claims' is missing"):
        load_claims(write(head="paper: p\ntitle: T\n"))


def test_nothing_in_yaml_is_executed(write, tmp_path):
    write(
        head=f"paper: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]\ntitle: T\nclaims: []\n"
    )
    with pytest.raises(SegmodelsError, match="not valid YAML"):
        load_claims(tmp_path)
    assert not (tmp_path / "made").exists()


def test_an_unknown_claim_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'espnet_p2_q8_camvid'"):
        load_claim("espnet_p2q8_camvid")
