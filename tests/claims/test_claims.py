from __future__ import annotations

import csv
import re

import pytest
import yaml
from synthetic import project
from toy_board import Board

from segmodels.claims import CostPart, EvidencePart, load_claim, load_claims, load_statements
from segmodels.claims.claim import Dispute
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.models import list_models
from segmodels.verdicts.validation import problems

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


#: What claims.csv calls a model that has another name here.
RENAMED = [
    (r"setr_(naive|pup|mla)_vit_large_patch16", r"setr_\1"),
    (r"swin_(\w+)_upernet", r"upernet_swin_\1"),
    (r"mmseg_(segmenter_\w+)", r"\1"),
    (r"(mmseg_segformer_b5)_(?:512|640)", r"\1"),  # one network, two trainings
    (r"mmseg_(setr_(?:naive|pup|mla))(?:_b\d+)?", r"\1"),
    (r"mmseg_(deeplabv3plus|pspnet)_r(50|101)", r"\1_resnet\2"),
    (r"gscnn_wideresnet38", "gscnn"),
    (r"pspnet", "pspnet_resnet101"),  # of which encoder: assumed in the claims' notes
    (r"mit_ablation_(?:pe|mixffn)", "segformer_b2"),  # B2: assumed in the claims' notes
    (r"segformer_b2_c\d+", "segformer_b2"),
    (r"mlpdec_(?:mit_)?(\w+)_s[1-4-]+", r"segformer_\1"),
]


def our_name(slug, claim=""):
    if slug == "setr_vit_large":  # of its three decoders: assumed in the claims' notes
        return "setr_naive" if "coco_stuff" in claim else "setr_pup"
    for pattern, name in RENAMED:
        if re.fullmatch(pattern, slug):
            return re.sub(pattern, name, slug)
    return slug


def collected(mirror):
    with (mirror / "facts" / "claims.csv").open(newline="") as file:
        return {row["claim_id"]: row for row in csv.DictReader(file)}


def test_every_collected_claim_is_here_as_it_was_collected(mirror):
    rows, claims = collected(mirror), load_claims()
    assert len(rows) == 537
    assert rows.keys() <= claims.keys()
    for name, row in rows.items():
        claim = claims[name]
        assert claim.value == float(row["value"]), name
        assert (claim.metric, claim.split) == (row["metric"], row["split"]), name
        assert claim.model == our_name(row["model"], name), name
        assert claim.dataset == row["dataset"].replace(" (variant not stated)", ""), name
        assert claim.arxiv == row["arxiv"] or not row["arxiv"], name
        assert (claim.claimant == "authors") == (row["claimant"] == "authors"), name
        assert claim.seen == row["confidence"].removeprefix("seen: "), name
        printed = row["value"].partition(".")[2]
        assert claim.decimals >= len(printed) or printed == "0", name
        if claim.metric == "mIoU-c":
            assert claim.corruption == row["corruption"], name


def test_curves_of_noise_are_those_that_were_read(mirror):
    text = (mirror / "facts" / "robustness.md").read_text()
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    start = next(place for place, cells in enumerate(lines) if cells[:1] == ["sigma"])
    read = {
        (name, float(cells[0])): float(value)
        for cells in lines[start + 2 : lines.index([], start)]
        for name, value in zip(lines[start][1:], cells[1:], strict=True)
        if value != "-"
    }
    stems = {"segmenter": "Segmenter", "depict": "DEPICT", "cbt": "CBT"}
    ours = {}
    for one in (claim for claim in load_claims().values() if claim.metric == "mIoU-n"):
        size = "T" if "tiny" in one.model else "S"
        ours[f"{stems[one.model.partition('_')[0]]}-{size}", one.noise] = one.value
        assert one.uncertainty == 0.5
    assert ours == read


def test_ablations_of_one_network_differ_in_its_arguments():
    claims, stem = load_claims(), "segformer_ablation_"
    for width in (256, 512, 1024, 2048):
        assert claims[f"{stem}decoder_c{width}"].overrides == {"decoder_width": width}
    for place in ("768", "1024x2048"):
        assert claims[f"{stem}pe_{place}"].overrides == {"mix_ffn": False, "position": "learned"}
        assert not claims[f"{stem}mixffn_{place}"].overrides
    for name in ("s4", "s4_params", "s4_gflops"):
        assert claims[f"{stem}enc_mit_b2_{name}"].overrides == {"decoder_levels": "last"}


def test_claims_have_what_a_reader_needs():
    for claim in load_claims().values():
        assert claim.source
        assert claim.seen
        assert claim.protocol or claim.stated or claim.metric == "top1" or claim.notes, claim.id


def test_the_six_of_sotaverified_are_featured():
    featured = [claim for claim in load_claims().values() if claim.featured]
    assert len(featured) == 6
    assert {claim.source for claim in featured} == {"SOTAVerified page of arXiv 2411.03033"}
    claims = load_claims()
    assert claims["espnet_p2_q8_camvid"].value == 55.64
    assert claims["depict_sa_l_cityscapes_ms"].printed == "81"


def objection(**changes):
    fields = {"date": "2026-01-02", "by": "Jo", "url": "https://example.org/1", "text": "No flip."}
    return {**fields, **changes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"date": "2 Jan"}, "date"),
        ({"date": "2026-02-30"}, "date"),
        ({"url": "somewhere"}, "url"),
        ({"text": ""}, "text"),
        ({"by": " "}, "by"),
        ({"said": "x"}, "said"),
    ],
)
def test_an_objection_says_who_when_and_where(changes, field):
    assert not Dispute(**objection()).answer
    with pytest.raises(SegmodelsError, match=f"dispute: .*{field}"):
        Dispute(**objection(**changes))


def test_conflicts_name_each_other():
    claims = load_claims()
    named = {(claim.id, other) for claim in claims.values() for other in claim.conflicts}
    assert named
    assert named == {(other, one) for one, other in named}


def test_nothing_is_wrong_with_the_claims_of_this_project():
    assert problems() == []


def test_the_statements_compare_what_exists():
    statements = load_statements()
    assert set(statements) >= {
        "depict-outperforms-segmenter",
        "depict-lighter-than-segmenter",
        "depict-more-robust-to-parameter-noise",
        "segformer-more-robust-to-corruption",
        "segformer-less-sensitive-to-test-resolution",
    }
    for statement in statements.values():
        for part in statement.parts:
            if isinstance(part, EvidencePart):
                assert not part.as_published  # nothing here was trained on the papers' terms
            else:
                assert isinstance(part, CostPart)
                assert {part.subject, part.other} <= set(list_models())


def test_claims_of_all_papers_are_read(write):
    write(CLAIM.format(id="one", value=50))
    folder = write(CLAIM.format(id="two", value=51.5), name="other.yaml")
    claims = load_claims(folder)
    assert list(claims) == ["two", "one"]
    assert isinstance(claims["one"].value, float)
    assert load_claim("two", folder).title == "T"


def test_defaults_stand_for_what_claims_leave_out(write):
    head = "paper: p\ntitle: T\ndefaults: {notes: shared, split: test}\nclaims:\n"
    claim = load_claims(write(CLAIM.format(id="one", value=50), head=head))["one"]
    assert (claim.notes, claim.split) == ("shared", "val")


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (CLAIM.format(id="a", value=101), "'value' is a percentage, not 101"),
        (CLAIM.format(id="a", value="high"), "field 'value': expected a number, found 'high'"),
        (CLAIM.format(id="a", value=".nan"), "field 'value': expected a finite number, found nan"),
        (
            CLAIM.format(id="a", value=0.374).replace("decimals: 1", "decimals: 3"),
            "'value' is a percentage; expected 37.4, found 0.374",
        ),
        (CLAIM.format(id="a", value=50.25), "'decimals' is 1, but 'value' is 50.25"),
        (CLAIM.format(id="A b", value=50), "field 'id': expected a name of a-z, .*, found 'A b'"),
        (
            CLAIM.format(id="a", value=50) + "    vaule: 3\n",
            "unknown field 'vaule'. Did you mean 'value'",
        ),
        (CLAIM.format(id="a", value=50) + "    corruption: fog\n", "mIoU-c, and only with it"),
        (CLAIM.format(id="a", value=50) + "    claimant: re-run\n", "field 'by' names who"),
        (CLAIM.format(id="a", value=50) + "    title: mine\n", "'title' stands at the head"),
        (CLAIM.format(id="a", value=50).replace("mIoU", "IoU"), "field 'metric': .*'mIoU-c'"),
        (
            CLAIM.format(id="a", value=50).replace("    source: Table 1\n", ""),
            "field 'source' is missing",
        ),
        (CLAIM.format(id="a", value=50) * 2, "id 'a' occurs twice"),
        (CLAIM.format(id="a.", value=50), "field 'id': expected a name of a-z"),
        (CLAIM.format(id="a" * 130, value=50), "field 'id': .*at most 120"),
        (CLAIM.format(id="a", value=50).replace("dataset: d", "dataset: any"), "one of images"),
        (
            CLAIM.format(id="a", value=50).replace("mIoU", "params_M"),
            "'image_size' is missing",
        ),
        (
            CLAIM.format(id="a", value=50) + "    image_size: [0, 9]\n",
            r"'image_size\[0\]': expected at least 1 and .*, found 0",
        ),
        (
            CLAIM.format(id="a", value=50) + "    overrides: {q: 8}\n    assumed: {q: 3}\n",
            "'assumed' repeats 'q' of 'overrides'",
        ),
        (
            CLAIM.format(id="a", value=50).replace("mIoU", "params_M")
            + "    image_size: [8, 8]\n    assumed: {q: 3}\n",
            "'assumed' is for what a training answers, not for params_M",
        ),
        (CLAIM.format(id="a", value=50) + "    overrides: &o {k: *o}\n", "cyclic reference"),
        (CLAIM.format(id="a", value=50) + "    overrides: {k: 2020-01-01}\n", "valid JSON value"),
        (CLAIM.format(id="a", value=50) + f"    notes: [{'x' * 9999}]\n", "^.{0,250}$"),
        ("  - just text\n", r"field 'claims\[0\]': expected fields by name, found 'just text'"),
    ],
)
def test_a_broken_claim_is_named(write, claim, message):
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_claims(write(claim))
    assert "paper.yaml" in str(caught.value)


def test_every_broken_claim_is_told_at_once(write):
    claims = [CLAIM.format(id=name, value=101) for name in ("first", "second")]
    with pytest.raises(SegmodelsError, match=r"'first'[^']*'value'[^']*'second'"):
        load_claims(write(*claims))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("{kind: cost, about: a, subject: s, other: o, relation: less}", "relation"),
        (
            "{kind: evidence, about: a, subject: s, other: o, relation: lower, quantity: kept, "
            "protocol: p, budget: b, as_published: false}",
            "either 'condition' or 'under'",
        ),
        ("{kind: costs, about: a}", "expected 'cost', 'evidence' as its 'kind'.* mean 'cost'"),
        ("{about: a}", "its field 'kind' is missing"),
    ],
)
def test_a_broken_statement_is_named(write, part, message):
    head = "paper: p\ntitle: T\nstatements:\n"
    text = f"  - {{id: s, text: A beats B, source: abstract, parts: [{part}]}}\n"
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_statements(write(text, head=head))
    assert "statement 's'" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("protocol", "strct", "field 'protocol': Unknown protocol 'strct'. Did you mean 'strict'"),
        ("dataset", "toys", "field 'dataset': Unknown dataset 'toys'. Did you mean 'toy'"),
        ("weights", "toy-weight", "field 'weights': Unknown weights 'toy-weight'"),
        ("model", "unet", "'toy-weights' are weights of 'espnet_p2_q8'"),
        ("conflicts", ["nobody"], "there is no claim 'nobody'"),
        ("conflicts", ["toy_strict"], "no conflict with itself"),
        ("split", "tset", "field 'split': Unknown split of toy 'tset'. Did you mean 'test'"),
    ],
)
def test_names_that_lead_nowhere_are_found(tmp_path, monkeypatch, field, value, message):
    root = project(tmp_path)
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    assert problems() == []
    path = root / "params" / "claims" / "toy.yaml"
    content = yaml.safe_load(path.read_text())
    content["claims"][0][field] = value
    path.write_text(yaml.safe_dump(content))
    (problem,) = problems()
    assert message in problem
    assert "toy.yaml, claim 'toy_strict'" in problem


def test_a_protocol_of_another_dataset_is_found(tmp_path, monkeypatch):
    root = project(tmp_path)
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    path = root / "params" / "protocols.yaml"
    content = yaml.safe_load(path.read_text())
    for datasets, message in (
        (["toy"], None),
        (["camvid"], "'strict' is for camvid, not 'toy'"),
        (["toys"], "protocol 'strict', field 'datasets': Unknown dataset 'toys'"),
    ):
        content["strict"]["datasets"] = datasets
        path.write_text(yaml.safe_dump(content))
        found = problems()
        assert bool(found) == (message is not None)
        assert message is None or any(message in problem for problem in found)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conflicts": ["toy_strict"]}, "'toy_strict' must name 'other' too"),
        ({"metric": "fps", "protocol": "strict"}, "Unknown protocol of fps 'strict'"),
        (
            {"metric": "params_M", "protocol": "ops", "image_size": [8, 8]},
            "Unknown protocol of params_M 'ops'",
        ),
    ],
)
def test_names_of_another_kind_are_found(tmp_path, monkeypatch, fields, message):
    board = Board(tmp_path)
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    operations = {"version": 1, "title": "o", "source": "s", "quantity": "operations"}
    operations |= {"part": "whole", "unit": "MACs", "counts": ["linear"]}
    (tmp_path / "params" / "efficiency.yaml").write_text(yaml.safe_dump({"ops": operations}))
    board.claim("other", **fields)
    (problem,) = problems()
    assert message in problem
    assert "claim 'other'" in problem
    if "metric" in fields:  # judging does not compare them either
        with pytest.raises(SegmodelsError, match="claim 'other'"):
            board.rows()


def test_a_folder_that_is_not_there_is_no_empty_leaderboard(tmp_path):
    with pytest.raises(SegmodelsError, match="no such folder; it holds the claims"):
        load_claims(tmp_path / "claims")


def test_a_file_that_would_not_be_read_is_told(write):
    folder = write(CLAIM.format(id="a", value=50), name="paper.yml")
    with pytest.raises(SegmodelsError, match="rename it"):
        load_claims(folder)


def test_defaults_do_not_change_the_head(write):
    head = "paper: p\ntitle: T\ndefaults: {paper: q}\nclaims:\n"
    with pytest.raises(SegmodelsError, match="'paper' stands at the head"):
        load_claims(write(CLAIM.format(id="a", value=50), head=head))


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
