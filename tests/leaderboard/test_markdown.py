"""The leaderboard as Markdown: whole tables, the known first, the blocked folded away."""

from __future__ import annotations

import re

from page_rows import HOSTILE, make_measurement, make_row, make_rows, unrun

from segmodels.leaderboard import Row, render_markdown
from segmodels.metrics.robustness import Robustness

SHOWN = "SOTAVerified page of a paper"


def headings(text: str) -> list[str]:
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


def board(**changes: object) -> list[Row]:
    stress = Robustness(clean=50.0, mean=40.0, ratio=0.8, curves=())
    gated, nobody = {"reason": "The weights are gated."}, {"reason": "Nobody has them."}
    dark = {"paper": "dark", "title": "", **nobody}
    size = {"metric": "params_M", "level": "counted", "interval": None}
    return [
        unrun(**{"claim": "shown", "source": SHOWN, **gated, **changes}),
        make_row(**{"robustness": stress, **changes}),
        make_row(**{"claim": "costs", **size, **changes}),
        unrun(**{"claim": "dark_1", **dark, **changes}),
        unrun(**{"claim": "dark_2", **dark, **changes}),
        unrun(**{"claim": "said", "kind": "relative", "model": "A beats B", **changes}),
        make_measurement(**{"run": "mine", **changes}),
    ]


def test_what_is_known_comes_first() -> None:
    text = render_markdown(board())
    assert headings(text) == [
        "Scores by paper",
        "Costs by paper",
        "Claims that SOTAVerified shows",
        "Scores",
        "Costs",
        "Statements",
        "Our own measurements",
        "Robustness",
        "Not checked",
    ]
    for row in board():
        words = f"| {row.subject.id} |", f"printed: {row.subject.id} ", f", {row.subject.id} "
        assert sum(map(text.count, words)) == (row.subject.kind == "claim")
    assert text.count("A beats B") == 1
    assert "| mine |" in text


def test_numbers_link_to_their_evidence() -> None:
    row = make_row()
    line = next(x for x in render_markdown([row]).splitlines() if x.startswith("| net_toy"))
    assert f"| 50.0 | [50.02]({row.evidence_file}) | +0.02 | 49.10 to 50.90 | **verified**" in line


def test_who_else_prints_a_number_stands_beside_its_claim() -> None:
    others = {"claimant": "re-implementation"}
    text = render_markdown([make_row(**others), unrun(claim="dark_1", **others), make_row()])
    assert text.count("| net_toy *(re-implementation)* |") == 1
    assert text.count("printed: dark_1 *(re-implementation)* 50.0\n") == 1
    assert text.count("| net_toy |") == 1


def test_what_is_blocked_is_folded_with_each_reason_once() -> None:
    text = render_markdown(board())
    fold = text[text.index("<details>") : text.index("</details>")]
    assert "<summary><b>dark</b>: 2 weights unpublished</summary>\n\n- **" in fold
    assert "Nobody has them. 2 printed: dark_1 50.0, dark_2 50.0\n" in fold
    assert fold.count("Nobody has them.") == 1
    assert "- The weights are gated.\n" in text


def test_every_table_is_whole_whatever_people_write() -> None:
    wild = dict.fromkeys(("model", "title", "reason", "protocol"), HOSTILE + " | a \\| b")
    rows = [*board(**wild), *(make_row(claim=f"c{i}", **wild) for i in range(12))]
    text = render_markdown(rows)
    width = 0
    for line in text.splitlines():
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) if line.startswith("|") else 0
        assert cells == width or not width or not cells, line
        width = cells
    assert set(re.findall(r"<(/?\w+)", text)) == {
        *("details", "/details", "summary", "/summary", "b", "/b")
    }


def test_counts_per_paper_add_up() -> None:
    rows = make_rows(60)
    lines = (
        render_markdown(rows).partition("## Scores by paper")[2].partition("\n## ")[0].splitlines()
    )
    papers = [line.split("|")[2:-1] for line in lines if line.startswith("| paper_")]
    numbers = [[int(cell.strip() or 0) for cell in cells] for cells in papers]
    assert len(numbers) == 12
    for total, *counts in numbers:
        assert total == sum(counts)
    assert sum(line[0] for line in numbers) == len(rows)


def test_nothing_yet() -> None:
    said = "Verified: 0 scores measured from pixels, 0 costs counted from networks."
    assert said in render_markdown([])
