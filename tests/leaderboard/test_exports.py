"""Exports for papers and model cards."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from page_rows import make_row, make_rows, unrun
from toy_board import Board

from segmodels import cli
from segmodels.errors import SegmodelsError
from segmodels.leaderboard.exports import FORMATS, export
from segmodels.leaderboard.exports.json import _cell
from segmodels.leaderboard.exports.latex import escape, render_latex
from segmodels.leaderboard.exports.model_index import render_model_index

pytestmark = pytest.mark.usefixtures("board")


def body(text: str) -> list[str]:
    """The rows of a LaTeX table."""
    return re.findall(r"^(.*?) \\\\$", text.partition(r"\midrule")[2], re.MULTILINE)


def test_latex_shows_claimed_verified_gap_and_interval() -> None:
    text = render_latex([make_row(), unrun(protocol="", model="net_b")])
    first, second = (line.split(" & ") for line in body(text))
    assert first == [
        r"net\textsuperscript{a}",
        "toy",
        r"mIoU (\%)",
        *("50.0", "50.02", "$+0.02$", "49.10--50.90", "verified", "released weights"),
    ]
    assert second[0] == r"net\_b\textsuperscript{b}"
    assert second[3:] == ["50.0", "--", "--", "--", "blocked", "--"]
    assert r"\textsuperscript{a} toy-ss.\par" in text
    assert r"\textsuperscript{b} Protocol not stated.\par" in text


def test_latex_is_balanced_and_every_row_has_every_column() -> None:
    rows = [make_row(model=f"m{i} & 100% #{i}_{{x}}", protocol=f"p{i}") for i in range(60)]
    text = render_latex(rows)
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    assert sorted(begun) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    bare = re.sub(r"\\[{}&]", "", text)
    assert bare.count("{") == bare.count("}")
    (columns,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    for line in body(text):
        assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
    marks = re.findall(r"^\\textsuperscript\{(\w+)\}", text, re.MULTILINE)
    assert (marks[0], marks[25], marks[26], marks[59]) == ("a", "z", "aa", "bh")
    assert len(set(marks)) == 60


def test_latex_escapes_what_others_wrote() -> None:
    text = escape(r"50% of $x_1 & \input{a} #2 ~ ^ <b>")
    assert text == (
        r"50\% of \$x\_1 \& \textbackslash{}input\{a\} \#2 \textasciitilde{} "
        r"\textasciicircum{} \textless{}b\textgreater{}"
    )


def read(text: str) -> list[dict[str, Any]]:
    index: list[dict[str, Any]] = yaml.safe_load(text)["model-index"]
    return index


def test_a_verified_row_is_a_model_index() -> None:
    row = make_row()
    (model,) = read(render_model_index([row], "https://example.org/reports"))
    assert model["name"] == "toy-weights"
    (result,) = model["results"]
    assert result["task"] == {"type": "image-segmentation", "name": "Semantic segmentation"}
    assert result["dataset"] == {"type": "toy", "name": "toy", "split": "val"}
    (metric,) = result["metrics"]
    assert (metric["type"], metric["value"], metric["verified"]) == ("mean_iou", 50.02, True)
    assert metric["args"] == {
        "protocol": "toy-ss",
        "evidence": row.evidence_key,
        "weights_sha256": row.weights.sha256,
        "dataset_fingerprint": row.evidence.fingerprint,
        "claim": "net_toy",
        "claimed": 50.0,
    }
    assert result["source"]["url"] == "https://example.org/reports"
    assert "source" not in read(render_model_index([row]))[0]["results"][0]


def test_results_of_the_same_weights_are_one_model() -> None:
    rows = [
        make_row(),
        make_row(claim="b", protocol="toy-ms"),
        make_row(weights_origin={"released": "other"}),
    ]
    assert [(m["name"], len(m["results"])) for m in read(render_model_index(rows))] == [
        ("toy-weights", 2),
        ("other", 1),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "below"},
        {"verdict": "measured"},
        {"evidence": None},
        {"metric": "params_M"},
        {"level": "third party (some-lab)", "counted_by": "some-lab"},
        {"level": "retrained (3 seeds)"},
        {"disputed": ({"date": "2026-01-02", "by": "Jo", "text": "No.", "answer": ""},)},
    ],
)
def test_only_verified_rows_with_evidence_enter_a_model_index(changes: dict[str, Any]) -> None:
    assert len(read(render_model_index([make_row(), make_row(**changes)]))[0]["results"]) == 1
    with pytest.raises(SegmodelsError, match="no row asked for is verified"):
        render_model_index([make_row(**changes)])


def test_rows_are_chosen_by_a_pattern() -> None:
    rows = make_rows(24)
    assert export(rows, "csv", "claim_1?").count("\r\n") == 11
    assert len(body(export(rows, "latex"))) == 16
    assert len(body(export(rows, "latex", "claim_4"))) == 1
    with pytest.raises(SegmodelsError, match="no row of the leaderboard matches 'nothing\\*'"):
        export(rows, "csv", "nothing*")


def test_the_command(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in FORMATS[:3]:
        assert cli.main(["leaderboard", "--format", kind, "--match", "toy_*"]) == 0
        out = capsys.readouterr().out
        assert "50" in out
        path = board.root / "out" / f"board.{kind}"
        assert (
            cli.main(["leaderboard", "--format", kind, "--match", "toy_*", "--out", str(path)]) == 0
        )
        assert path.read_bytes() == out.encode()
        capsys.readouterr()
    assert not (board.root / "reports").exists()
    assert cli.main(["leaderboard", "--format", "model-index"]) == 1
    assert "no row asked for is verified" in capsys.readouterr().err
    assert cli.main(["leaderboard", "--match", "toy_*"]) == 1
    assert "go with --format" in capsys.readouterr().err


def test_the_command_knows_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["leaderboard", "--format", "word"])
    error = capsys.readouterr().err
    assert [kind for kind in FORMATS if kind not in error] == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd", "@sum", "\t=1", "\r=1"])
def test_no_cell_of_csv_is_a_formula(text: str) -> None:
    assert _cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [-0.5, 3, None, "a=1", "1-2"])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert _cell(value) is value
