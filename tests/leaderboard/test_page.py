"""The leaderboard's pages as text: what stands on them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from page_rows import Checker, make_measurement, make_row, make_rows, make_statement, unrun
from synthetic import project

from segmodels.errors import SegmodelsError
from segmodels.leaderboard import (
    counts,
    datatables,
    headline,
    render_html,
    render_json,
    render_markdown,
)
from segmodels.leaderboard.badge import badge_words, render_badge
from segmodels.leaderboard.charts.bars import common_span, interval_bar, places
from segmodels.leaderboard.charts.curves import curve_tables
from segmodels.leaderboard.charts.gaps import gap_section, protocol_gaps
from segmodels.leaderboard.charts.pair import pairs
from segmodels.leaderboard.charts.scale import Scale
from segmodels.leaderboard.charts.scatter import scatter_section
from segmodels.leaderboard.claim_page import render_claim
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.statement_section import statement_section
from segmodels.leaderboard.table_data import first_to_last, table_data
from segmodels.leaderboard.words import side, signed
from segmodels.metrics.draws import Draws
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness
from segmodels.verdicts.verdict import STATUSES


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))


def read_data(text: str) -> list[dict[str, object]]:
    """The table's rows as the script of the page sees them."""
    value = json.loads(text)
    count = len(value["repeated"])
    return [
        {
            **{name: value["words"][i] for name, i in zip(value["repeated"], row, strict=False)},
            **dict(zip(value["plain"], row[count:], strict=True)),
        }
        for row in value["rows"]
    ]


def test_the_table_holds_the_numbers_of_every_row() -> None:
    (first, second) = read_data(table_data([make_row(), unrun(claim="other")], 1.0))
    assert (first["model"], first["dataset"], first["paper"]) == ("net", "toy", "ToyNet")
    assert (first["claimed"], first["verified"], first["gap"]) == (50.0, 50.02, 0.02)
    assert (first["low"], first["high"], first["bar"]) == (49.1, 50.9, [50, 510, 950])
    assert (first["page"], first["level"]) == ("net_toy", "released weights")
    assert first["file"] == "evidence/net/toy-ss/0123456789abcdef.json"
    assert (second["verified"], second["bar"], second["file"]) == (None, None, "")
    assert (second["status"], second["obstacle"]) == ("blocked", "weights unpublished")
    assert second["level"] == "not run"


def test_sotaverified_comes_first_then_what_was_measured() -> None:
    shown = [unrun(claim=f"d{i}", source="SOTAVerified page of arXiv 2411.03033") for i in "ab"]
    size = make_row(claim="size", metric="params_M")
    sentence = make_statement()
    rows = [unrun(claim="c"), size, sentence, make_measurement(), make_row(), *shown]
    assert first_to_last(rows) == [*shown, *rows[4:0:-1], rows[0]]


def test_names_of_pages_are_safe_unique_and_free_of_order() -> None:
    rows = [
        make_row(claim="../../etc/pass wd"),
        make_row(claim="net-run-toy-ss"),
        make_measurement(),
        make_measurement(evidence="ffff"),
        make_measurement(protocol="toy-ms"),
    ]
    names = page_names(rows)
    assert names == [
        "-..-etc-pass-wd",
        "net-run-toy-ss",
        "net-run-toy-ss-mIoU-0123456789abcdef",
        "net-run-toy-ss-mIoU-ffff",
        "net-run-toy-ms",
    ]
    assert page_names(rows[::-1]) == names[::-1]


def test_the_page_is_whole_and_links_to_files_beside_it() -> None:
    rows = [make_row(), unrun(claim="other"), make_measurement()]
    page = render_html(rows)
    checker = Checker(page)
    assert checker.open == []
    assert not {"img", "iframe", "object"} & set(checker.tags)
    assert {link for link in checker.links if not link.startswith("#")} == {
        "data:,",
        "leaderboard.md",
        "leaderboard.json",
        "claims/net_toy.html",
        "claims/net-run-toy-ss.html",
        "papers/toynet.html",
        rows[0].evidence_file,
    }
    for status, meaning in STATUSES.items():
        assert status in checker.text
        assert meaning in checker.text


def test_without_a_script_the_page_shows_what_was_measured() -> None:
    row = unrun(claim="featured", source="SOTAVerified page of arXiv 2411.03033")
    page = render_html([make_row(), unrun(claim="hidden_one"), row])
    plain = page[page.index("<noscript>") : page.index("</noscript>")]
    assert "claims/net_toy.html" in plain
    assert "claims/featured.html" in plain
    assert "hidden_one" not in plain
    assert "leaderboard.md" in plain


def test_filters_offer_what_occurs_and_only_where_there_is_a_choice() -> None:
    page = render_html([make_row(), make_row(claim="b", dataset="other")])
    form = page[page.index("<form") : page.index("</form>")]
    options = re.findall(r'<option value="([^"]*)">', form)
    assert options == ["", "other", "toy"]
    assert re.findall(r'data-filter="(\w+)"', form) == ["q", "dataset"]


def test_the_library_keeps_its_licences() -> None:
    page = render_html([make_row()])
    for name in ("DataTables", "jQuery JavaScript Library", "MIT"):
        assert name in page


def test_a_missing_or_unknown_library_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datatables, "find_spec", lambda name: None)
    with pytest.raises(SegmodelsError, match="pip install 'itables"):
        render_html([make_row()])
    path = tmp_path / "dt_bundle.js"
    with pytest.raises(SegmodelsError, match=r"dt_bundle\.js: no default export"):
        datatables._with_global("export{a as b};", path)


def test_an_inline_script_cannot_be_left_early() -> None:
    assert datatables.inline("a='</script><!--'") == "a='<\\/script>\\x3C!--'"


def some_docs(root: Path) -> Docs:
    """The pages of `docs/` seen from `reports/claims`."""
    (root / "docs").mkdir()
    protocols = (
        "# All\n\n### Toy (2)\n\n`prose`\n\n| name | x |\n|---|---|\n| `toy-ss`<br>`b` | 1 |\n"
    )
    costs = (
        "# Costs\n\n`latency` and `params-all`\n\n## What is counted\n\n| `params-all` | all |\n"
    )
    for name, text in (("protocols", protocols), ("efficiency", costs), ("verdicts", "# V")):
        (root / "docs" / f"{name}.md").write_text(text)
    return Docs(root / "reports" / "claims")


def test_a_page_of_a_claim_tells_everything(tmp_path: Path) -> None:
    row = make_row(
        claimant="authors",
        seen="repo README",
        arxiv="1803.06815",
        checkpoint="https://example.org/net.pth",
        conflicts=("net_again", "elsewhere"),
        seeds=(49.9, 50.1),
        figure="figures/net.png",
        notes="a note",
        protocol_version=2,
        stated="512x512, see https://example.org/how.",
    )
    others = {"net_again": make_row(claimed=51.0), "net_ms": make_row(protocol="toy-ms")}
    checker = Checker(render_claim(row, "net_toy", others, some_docs(tmp_path)))
    assert checker.open == []
    assert set(checker.links) == {
        *("data:,", "style.css", "page.js", "../leaderboard.html", "net_toy.svg"),
        *("../figures/net.png", "https://example.org/net.pth", "net_again.html", "net_ms.html"),
        *("https://arxiv.org/abs/1803.06815", "https://example.org/how"),
        *(f"../../docs/{at}" for at in ("protocols.md#toy-2", "verdicts.md#the-words")),
        "../../docs/verdicts.md#the-level",
        "../evidence/net/toy-ss/0123456789abcdef.json",
    }
    for words in (
        *(
            row.verdict.reason,
            "50.02",
            "+0.02",
            "49.10\u201350.90",
            "49.90, 50.10",
            row.command,
            "a note",
        ),
        *(STATUSES["verified"], "512x512, see", "made by dvc repro or fetched by dvc pull"),
        *(
            "net_again (51.0), elsewhere",
            "sky90.0road10.0",
            "absent",
            row.weights.sha256,
            "version 2",
        ),
        "[![mIoU 50.0 verified](reports/claims/net_toy.svg)](reports/claims/net_toy.html)",
    ):
        assert str(words) in checker.text


def test_a_page_leaves_out_what_is_not_known() -> None:
    statement = make_statement(verdict="unverified", reason="Loses less in fog.", findings=())
    text = render_claim(statement, "statement", {})
    assert "Loses less in fog." in text
    assert not re.search(r"None|Claimed</dt>|Interval|per class|not stated|What is missing", text)
    assert "not stated" in render_claim(make_row(protocol=""), "net", {})
    assert "Printed in" in text
    assert "Printed in" not in render_claim(make_measurement(), "net", {})


def test_units_other_than_percent_keep_their_digits_and_have_no_bar() -> None:
    row = make_row(metric="params_M", claimed=13.7, verified=13.678, interval=None)
    checker = Checker(render_claim(row, "net", {}))
    assert "13.7 M" in checker.text
    assert "13.68 M" in checker.text
    assert interval_bar(row, 1.0) == ""
    assert pairs([row]) == []


def test_docs_are_linked_where_they_describe_a_protocol(tmp_path: Path) -> None:
    docs = some_docs(tmp_path)
    assert docs.protocol("b") == "../../docs/protocols.md#toy-2"
    assert docs.protocol("params-all") == "../../docs/efficiency.md#what-is-counted"
    assert docs.protocol("latency") == "../../docs/efficiency.md#costs"
    assert docs.protocol("c") == ""
    assert docs.verdict("the-level") == "../../docs/verdicts.md#the-level"
    (tmp_path / "docs" / "verdicts.md").unlink()
    assert Docs(tmp_path).verdict() == ""


def test_the_table_links_protocols_and_says_what_they_are(tmp_path: Path) -> None:
    row = make_row(protocol_title="Toy, whole image")
    (found,) = read_data(table_data([row], 1.0, some_docs(tmp_path)))
    assert found["docs"] == "../../docs/protocols.md#toy-2"
    assert found["about"] == "Toy, whole image"
    assert (
        "../../docs/verdicts.md#the-words"
        in Checker(render_html([row], docs=Docs(tmp_path / "reports" / "claims"))).links
    )


def test_a_picture_is_a_png_and_has_words_for_when_it_is_not_there() -> None:
    page = render_claim(make_row(figure="figures/net.png"), "net", {})
    picture = page[page.index('<figure class="picture">') :]
    assert 'src="../figures/net.png"' in picture
    assert "it is not kept in git" in picture
    assert 'class="picture"' not in render_claim(make_row(figure="figures/net.html"), "net", {})


def test_what_is_missing_stands_on_the_page_once_and_with_links() -> None:
    todo = (
        "weights gated: They lie in a drive.",
        "  published at https://example.org/drive?a=1&b=2",
        "gated data: Behind a registration.",
        "  registration: https://example.org/register, and `retrains`",
    )
    row = unrun(todo=todo, reason="They lie in a drive. Behind a registration. Fetch them.")
    page = render_claim(row, "net", {})
    checker = Checker(page)
    assert {"https://example.org/drive?a=1&b=2", "https://example.org/register"} <= {*checker.links}
    assert "<code>retrains</code>" in page
    assert checker.text.count("They lie in a drive.") == 1
    assert page.count("<li>") == 4
    stranger = unrun(todo=todo, reason="Evidence is of other images.")
    assert stranger.verdict.reason in Checker(render_claim(stranger, "net", {})).text


def test_a_number_of_drawn_images_says_how_far_draws_scatter() -> None:
    draws = Draws(100, 2000, 49.0, 50.1, 51.0)
    text = Checker(render_claim(make_row(draws=draws), "net", {})).text
    assert "The source draws 100 images with replacement" in text
    assert "between 49.00 and 51.00; every image once gives 50.02." in text
    assert "The printed 50 lies inside that range." in text
    far = make_row(draws=draws, claimed=58.6, verdict="below", gap=-8.58)
    assert "The printed 58.6 lies outside" in Checker(render_claim(far, "net", {})).text
    ours = make_measurement(draws=draws)
    assert "The printed" not in Checker(render_claim(ours, "net", {})).text


def test_statements_have_a_section_with_the_outcome_of_every_part() -> None:
    rows = [make_row(), make_statement()]
    section = Checker(statement_section(rows))
    assert section.open == []
    assert set(section.links) == {"#row=net-beats-other", "https://example.org"}
    assert "1 of 3 parts holds, 1 does not, 1 open" in section.text
    for words in ("holdsSize 0 against 2.", "does not holdSpeed", "openat another budgetAccuracy"):
        assert words in section.text
    assert statement_section(rows[:1]) == ""
    page = Checker(render_claim(rows[1], "net-beats-other", {}))
    assert "does not holdSpeed 1 against 2." in page.text
    assert rows[1].verdict.reason not in page.text  # the list says it
    assert "statement" in render_badge(rows[1])


def test_statements_have_no_empty_numbers_in_the_table() -> None:
    row, sentence = read_data(table_data([make_row(), make_statement()], 1.0))
    assert (row["parts"], row["level"]) == ("", "released weights")
    assert sentence["parts"] == "1 of 3 parts holds, 1 does not, 1 open"
    assert (sentence["model"], sentence["level"]) == ("Net beats Other", "")
    (untold,) = read_data(table_data([make_statement(findings=())], 1.0))
    assert untold["parts"] == "see its page"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "GFLOPs", "verdict": "below"}, "fewer than printed"),
        ({"metric": "params_M", "verdict": "better"}, "more than printed"),
        ({"metric": "params_M"}, ""),
        ({"verdict": "below"}, ""),
    ],
)
def test_a_cost_beside_its_print_is_no_failure(changes: dict[str, str], words: str) -> None:
    row = make_row(**changes)
    assert side(row) == read_data(table_data([row], 1.0))[0]["side"] == words
    neutral = f'class="status {row.verdict.status} cost"'
    page = render_claim(row, "net", {})
    assert (neutral in page) == bool(words)
    assert (f"{words}</" in page) or not words
    if words:
        assert ("below", "better")[words.startswith("more")] not in badge_words(row)[1]
        assert "says nothing about quality" in render_claim(row, "net", {})
        assert f'{row.verdict.status} cost"><title>' in scatter_section([row])


def test_newcomers_get_five_lines_and_the_way_to_what_stands_below() -> None:
    page = render_html([make_row(), make_statement()])
    guide = page[page.index('<details class="guide">') : page.index("</details>")]
    assert guide.count("<li>") == 5
    for word in ("verified", "below", "blocked", "Level", "Protocol"):
        assert word in guide
    assert {"#statements", "#scatter"} <= {*Checker(page).links}
    assert "#scatter" not in Checker(render_html([unrun()])).links


def test_bars_share_one_scale_and_mark_what_lies_beyond() -> None:
    row = make_row(verified=51.0, interval=(50.2, 51.8))
    assert common_span([row, make_row(metric="params_M", interval=(0, 99))]) == 2.0
    assert places(row, 2.0) == (550, 750, 950)
    far = make_row(verified=80.0, interval=(79.0, 81.0))
    assert common_span([row, far]) == 6.0
    assert places(far, 5.0) == (1000, 1000, 1000)
    assert "edge" in interval_bar(far, 5.0)
    assert "edge" not in interval_bar(row, 5.0)


def test_the_page_of_a_row_says_what_its_interval_is_over() -> None:
    blocks = "12 blocks of 19 to 21 consecutive images in 2 sequences"
    row = make_row(interval_over=blocks, seeds=(49.9, 50.1), seed_interval=(49.0, 51.0))
    page = Checker(render_claim(row, "net_toy", {})).text
    assert f"the bar its interval over {blocks}." in page
    assert "49.90, 50.10" in page
    assert "Mean over seeds49.00\u201351.00" in page


def test_classes_go_from_best_to_absent() -> None:
    per_class = {"a": 1.0, "b": None, "c": 0.0, "d": 9.0}
    page = render_claim(make_row(per_class=per_class), "net", {})
    assert re.findall(r"<span>(\w+)</span><i", page) == ["d", "a", "c", "b"]
    assert page.count("absent</b>") == 1


def test_other_averages_and_the_lowest_images_are_on_the_page() -> None:
    page = Checker(render_claim(make_row(), "net", {})).text
    assert "mean over images47.12. mIoU of each image, averaged over images" in page
    assert "mean Dice" not in page  # not known
    assert "Images of the lowest mIoU, %a.png3.25b.png4.00" in page
    bare = Checker(render_claim(make_row(averages={}, lowest=()), "net", {})).text
    assert "averaged otherwise" not in bare
    assert "lowest" not in bare


def test_an_axis_has_round_ticks_and_stops_at_its_ends() -> None:
    axis = Scale(47.0, 53.0, 100.0, 0.0)
    assert axis.ticks() == [47, 48, 49, 50, 51, 52, 53]
    assert [axis.at(v) for v in (47, 50, 53, 99)] == [100, 50, 0, 0]
    assert Scale(-0.7, 0.7, 0, 1).ticks() == pytest.approx([-0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6])


def test_marks_of_the_scatter_lead_to_their_rows() -> None:
    rows = [unrun(claim="no"), make_row(), make_row(claim="b", verdict="below", gap=-2.0)]
    figure = scatter_section(rows)
    assert re.findall(r'href="#row=(\w+)"[^>]*data-row="(\d)"', figure) == 2 * [
        ("b", "2"),
        ("net_toy", "1"),
    ]
    assert "claimed 50.0, verified 50.02 (49.10\u201350.90), gap +0.02, verified" in figure
    assert scatter_section(rows[:1]) == ""


def test_costs_have_a_figure_of_their_own_in_percent_of_the_claim() -> None:
    rows = [
        make_row(claim=f"c{i}", metric="GFLOPs", claimed=c, verified=v, interval=None)
        for i, (c, v) in enumerate([(10.0, 10.5), (1000.0, 990.0), (0.0, 1.0)])
    ]
    assert [p.share for p in pairs(rows, percent=False)] == pytest.approx([5.0, -1.0])
    figure = scatter_section(rows)
    assert figure.count("<figure>") == 1
    assert scatter_section([*rows, make_row()]).count("<figure>") == 3
    axis = Scale(8.0, 1200.0, 0.0, 1.0, log=True)
    assert axis.ticks() == [10, 100, 1000]
    assert axis.at(100) == pytest.approx(0.504, abs=1e-3)


def test_evidence_without_a_key_is_named_after_its_file() -> None:
    row = make_row(evidence=None, evidence_file="bench/models-cpu.json")
    (found,) = read_data(table_data([row], 1.0))
    assert (found["evidence"], found["file"]) == ("models-cpu", "bench/models-cpu.json")


def test_a_crowd_is_drawn_without_links() -> None:
    rows = make_rows(3000)
    figure = scatter_section(rows)
    measured = [row for row in rows if row.verdict.verified is not None]
    assert "<a " not in figure
    assert figure.count("h0") == 2 * len(measured) == 4000
    assert {len(pairs(rows))} == {2000}


def test_protocol_gaps_compare_one_checkpoint_on_the_same_images() -> None:
    rows = [
        make_row(),
        make_measurement(protocol="toy-ms", verified=52.0),
        make_measurement(protocol="toy-half", verified=40.0, images=3),
        make_measurement(protocol="toy-ss", verified=60.0, weights="b2" * 32),
        make_measurement(protocol="toy-ms", verified=70.0, weights="b2" * 32),
        make_row(claim="c", protocol="toy-ms", verified=70.0, metric="top1"),
    ]
    wide, narrow = protocol_gaps(rows)
    assert wide.values == [70.0, 60.0]
    assert narrow.values == [50.02, 52.0]  # the claimed protocol goes first
    assert narrow.spread == pytest.approx(1.98)
    section = gap_section(rows)
    assert "+1.98" in section
    assert "\u221210.00" in section
    assert gap_section(rows[:1]) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ("mIoU 50.0", "verified")),
        ({"verdict": "below", "verified": 48.5}, ("mIoU 50.0", "below 48.50")),
        ({"metric": "GFLOPs", "claimed": 7.9}, ("GFLOPs 7.9", "verified")),
        ({"claimed": None, "verdict": "measured"}, ("mIoU", "measured 50.02")),
        ({"verdict": "blocked", "verified": None}, ("mIoU 50.0", "blocked")),
    ],
)
def test_badges_say_claim_and_outcome(changes: dict[str, object], words: tuple[str, str]) -> None:
    row = make_row(**changes)
    assert badge_words(row) == words
    svg = ElementTree.fromstring(render_badge(row))
    texts = svg.findall(".//{http://www.w3.org/2000/svg}text")
    assert [text.text for text in texts] == list(words)
    assert all(float(text.attrib["textLength"]) > 0 for text in texts)
    assert svg[0].tag.endswith("title")


OBJECTION = {
    "date": "2026-01-02",
    "by": "Jo <b>",
    "url": "https://example.org/1",
    "text": "Flip was off <i>.",
    "answer": "",
}


@pytest.mark.parametrize(
    ("answers", "word"),
    [(("",), "disputed"), (("We agree.", ""), "disputed"), (("No.",), "disputed, answered")],
)
def test_an_objection_is_shown_and_takes_the_colour_from_the_badge(
    answers: tuple[str, ...], word: str
) -> None:
    row = make_row(disputed=tuple({**OBJECTION, "answer": answer} for answer in answers))
    badge = render_badge(row)
    assert badge_words(row)[1] == f"verified, {word}"
    assert 'fill="#5c646c"' in badge
    assert 'fill="#5c646c"' not in render_badge(make_row())
    for answer in answers:
        assert f"<b>Answer:</b> {answer or 'none yet'}" in render_claim(row, "net_toy", {})
    assert "Jo &lt;b&gt;</a>: Flip was off &lt;i&gt;." in render_claim(row, "net_toy", {})
    assert f"<small>{word}</small>" in render_html([row])
    assert f", {word} |" in render_markdown([row])


def test_scores_and_costs_are_never_one_number() -> None:
    rows = [
        make_row(),
        *(make_row(claim=f"c{i}", metric="params_M", interval=None) for i in range(3)),
        make_statement(),
        make_measurement(run="mine"),
    ]
    said = "Verified: 1 score measured from pixels, 3 costs counted from networks."
    assert headline(rows) == said
    assert counts(rows) == {
        "scores": {"verified": 1},
        "costs": {"verified": 3},
        "statements": {"partial": 1},
        "own": {"measured": 1},
    }
    for text in (render_html(rows), render_markdown(rows), render_json(rows)):
        assert said in text
    assert 'data-total="4"' not in render_html(rows)


def test_white_text_is_readable_on_every_badge() -> None:
    for status in STATUSES:
        colours = re.findall(r'fill="#([0-9a-f]{6})"', render_badge(make_row(verdict=status)))
        assert len(colours) == 2
        assert min(1.05 / (_luminance(colour) + 0.05) for colour in colours) >= 4.5


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_gaps_have_signs() -> None:
    assert [signed(v) for v in (0.004, 0.3, -0.3, None)] == [
        "0.00",
        "+0.30",
        "\u22120.30",
        "\u2013",
    ]


def test_an_empty_leaderboard_renders() -> None:
    page = Checker(render_html([]))
    assert page.open == []
    assert "Nothing yet" in page.text


def test_markdown_keeps_statements_and_units_apart() -> None:
    statement = make_statement(verdict="unverified", reason="Loses less in fog.", findings=())
    size = make_row(metric="params_M", claimed=13.7, verified=13.678, interval=None)
    text = render_markdown([make_row(), size, statement, make_measurement()])
    assert "| **unverified** | Loses less in fog. |" in text
    assert "| parameters, M | `toy-ss` | 13.7 | [13.68](" in text
    assert "49.10 to 50.90" in text
    assert "| net | net-run | mIoU, % | `toy-ss` | [50.02](" in text
    assert "None" not in text


def test_of_many_disturbed_networks_the_rest_are_links() -> None:
    fog = Curve("corruption", "fog", (CurvePoint(3.0, 30.0, 0.6),))
    found = Robustness(50.0, 30.0, 0.6, (fog,))
    rows = [make_row(claim=f"net_{i}", evidence=f"{i:016x}", robustness=found) for i in range(14)]
    page = Checker(curve_tables(rows))
    assert page.open == []
    assert page.tags.count("table") == 10
    assert "4 more" in page.text
    assert page.links == [f"#row=net_{i}" for i in range(10, 14)]
    assert "more" not in Checker(curve_tables(rows[:10])).text
