"""Pictures that compare networks under disturbances: which numbers they show, and whose."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_rows import make_row, printed_row
from synthetic import project

from segmodels.claims import Statement
from segmodels.leaderboard import Row, render_html, robustness_page
from segmodels.leaderboard.charts.curves import robustness_section
from segmodels.leaderboard.charts.heat import heat_maps
from segmodels.leaderboard.charts.lines import ATTACK, NOISE, RESOLUTION, line_charts
from segmodels.leaderboard.charts.networks import on_same_images
from segmodels.leaderboard.charts.printed_noise import printed_noise
from segmodels.leaderboard.charts.robustness_pictures import robustness_pictures
from segmodels.leaderboard.charts.tradeoff import tradeoff
from segmodels.leaderboard.claim_page import render_claim
from segmodels.leaderboard.compared import compared_in
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.words import corruptions
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness
from segmodels.verdicts.row_subject import RowSubject

CLEAN = 50.0


def curve(kind: str, name: str, **points: float | tuple[float, ...]) -> Curve:
    """Points by level; several numbers are those of seeds."""
    made = []
    for level, value in points.items():
        seeds = value if isinstance(value, tuple) else ()
        miou = sum(seeds) / len(seeds) if seeds else float(value)  # type: ignore[arg-type]
        made.append(CurvePoint(float(level[1:].replace("_", ".")), miou, miou / CLEAN, seeds=seeds))
    return Curve(kind, name, tuple(made))


def fog(**points: float) -> Curve:
    return curve("corruption", "fog", **points)


def measured(run: str, *curves: Curve, seed: int | None = None, **changes: Any) -> Row:
    """A row of a run with curves; trained from a seed if it has one."""
    training = {"model": "net", "overrides": {}, "recipe": {"name": "short"}, "seed": seed}
    origin = {"released": "toy"} if seed is None else {"trained": run, "training": training}
    same = {"claim": None, "claimed": None, "dataset": "toy", "split": "test"}
    return make_row(
        **{
            **same,
            "run": run,
            "evidence": run.ljust(16, "0"),
            "weights": run.ljust(64, "0"),
            "weights_origin": origin,
            "robustness": Robustness(CLEAN, None, None, curves),
            **changes,
        }
    )


def test_trainings_that_differ_in_their_seed_are_one_network() -> None:
    rows = [measured(f"net-{seed}", fog(s1=40 + seed), seed=seed) for seed in range(3)]
    (images,) = on_same_images([*rows, rows[0], measured("other", fog(s1=10.0))])
    assert [(one.name, len(one.runs), one.place) for one in images.networks] == [
        ("net", 3, 0),
        ("other", 1, 1),
    ]
    assert images.title == "toy test, toy-ss"


def test_other_images_are_never_beside_each_other() -> None:
    row = measured("a", fog(s1=40.0))
    others = [
        measured("b", fog(s1=40.0), fingerprint="00" * 32),
        measured("c", fog(s1=40.0), split="val"),
    ]
    assert [len(one.networks) for one in on_same_images([row, *others])] == [1, 1, 1]


def test_another_protocol_is_named() -> None:
    rows = [measured("a", fog(s1=40.0)), measured("b", fog(s1=40.0), protocol="toy-ms")]
    (images,) = on_same_images(rows)
    rows.append(measured("c", fog(s1=40.0)))
    (images,) = on_same_images(rows)
    assert [one.name for one in images.networks] == ["a", "b (toy-ms)", "c"]
    assert images.title == "toy test, toy-ss (unless a name says another protocol)"


def test_heat_maps_compare_the_same_severities() -> None:
    rows = [
        measured("a", fog(s1=40.0, s3=30.0, s5=20.0), curve("corruption", "snow", s1=50.0)),
        measured("b", fog(s1=45.0, s2=1.0, s3=35.0)),
    ]
    alone, both = heat_maps(on_same_images(rows)[0])
    fogs, snow = alone.lines
    assert (fogs.name, fogs.levels, fogs.kept) == ("fog", "1, 3, 5", [pytest.approx(60)])
    assert (snow.name, snow.levels, snow.kept) == ("snow", "1", [100])
    assert (alone.networks, alone.mean, alone.shared) == ([("a", "")], [pytest.approx(80)], 2)
    assert both.networks == [("b", ""), ("a", "")]  # who keeps most comes first
    assert [(one.levels, one.kept) for one in both.lines] == [("1, 3", [pytest.approx(80), 70])]

    better = measured("c", fog(s1=50.0, s3=50.0, s5=50.0), curve("corruption", "snow", s1=50.0))
    (images,) = on_same_images([*rows, better])
    most, every = heat_maps(images)
    assert (most.networks, most.mean) == ([("c", ""), ("a", "")], [100, pytest.approx(80)])
    assert [name for name, _ in every.networks] == ["c", "b", "a"]
    assert heat_maps(images, better.evidence_key) == [most, every]
    assert heat_maps(images, rows[1].evidence_key) == [every]
    noise = measured("d", curve("parameter_noise", "x", s1=1.0))
    assert heat_maps(on_same_images([noise])[0]) == []


def test_other_corruptions_have_a_map_of_their_own() -> None:
    rows = [measured("a", fog(s1=40.0, s2=30.0)), measured("b", curve("corruption", "snow", s1=4))]
    maps = heat_maps(on_same_images(rows)[0])
    assert [(one.networks, one.lines[0].name) for one in maps] == [
        ([("a", "")], "fog"),
        ([("b", "")], "snow"),
    ]


def test_a_network_of_several_trainings_has_the_mean_of_those_that_have_all() -> None:
    """Or a line would be of three of them, and the next of one."""
    noisy = measured("net-2", curve("parameter_noise", "x", s1=1.0), seed=2)
    rows = [measured(f"net-{seed}", fog(s1=40.0 + seed), seed=seed) for seed in (0, 1)] + [noisy]
    (found,) = heat_maps(on_same_images(rows)[0])
    assert found.lines[0].kept == [pytest.approx(81.0)]
    assert found.networks == [("net", "2 of 3 trainings")]

    more = measured("net-2", fog(s1=44.0, s2=30.0), seed=2)
    most, every = heat_maps(on_same_images([*rows[:2], more])[0])
    assert (most.networks, most.mean) == ([("net", "1 of 3 trainings")], [pytest.approx(74.0)])
    assert (every.networks, every.lines[0].kept) == (
        [("net", "3 of 3 trainings")],
        [pytest.approx(100 * (40 + 41 + 44) / 150)],
    )


def test_curves_of_noise_have_the_spread_of_trainings_and_draws() -> None:
    noise = "parameter_noise"
    rows = [
        measured("net-0", curve(noise, noise, s0_01=(40.0, 44.0), s0_1=(10.0, 12.0)), seed=0),
        measured("net-1", curve(noise, noise, s0_01=(46.0, 42.0), s0_1=(14.0, 16.0)), seed=1),
        measured("one", curve(noise, noise, s0_1=20.0)),
    ]
    (chart,) = line_charts(on_same_images(rows)[0], NOISE)
    assert [text for _, text in chart.below] == ["none", ".01", ".1"]
    net, one = chart.lines
    assert (net.number, one.number) == ("2 trainings, 2 draws of noise", "")
    assert net.values == "0: 50.0, 0.01: 43.0, 0.1: 13.0"
    assert one.values == "0: 50.0, 0.1: 20.0"
    heights = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", net.band)]
    means = [float(y) for _, y in net.marks]
    highs, lows = heights[:3], heights[:2:-1]
    assert highs[0] == lows[0] == means[0]
    for high, mean, low in list(zip(highs, means, lows, strict=True))[1:]:
        assert high < mean < low  # pixels go down
    assert one.band == ""


def test_noise_on_a_part_has_a_chart_of_its_own() -> None:
    noise = "parameter_noise"
    part = Curve(noise, "parameter_noise, noise_on decoder", curve(noise, noise, s1=3.0).points)
    charts = line_charts(
        on_same_images([measured("a", curve(noise, noise, s1=2.0), part)])[0], NOISE
    )
    assert [chart.title for chart in charts] == [
        "toy test, toy-ss",
        "noise on decoder: toy test, toy-ss",
    ]


def test_attacks_are_drawn_over_their_bound_and_sizes_around_that_of_the_protocol() -> None:
    sizes = curve("resolution", "resolution", s0_5=30.0, s2=40.0)
    rows = [
        measured("a", curve("attack", "fgsm, loss x", s2=20.0, s8=10.0), sizes),
        measured("b", curve("attack", "pgd", s8=5.0), curve("resolution", "resolution", s2=45.0)),
        measured("c", curve("resolution", "resolution, windows whole", s1=49.0, s2=48.0)),
    ]
    (images,) = on_same_images(rows)
    fgsm, pgd = line_charts(images, ATTACK)
    assert (fgsm.title, pgd.title) == ("fgsm, loss x: toy test, toy-ss", "pgd: toy test, toy-ss")
    assert [text for _, text in fgsm.below] == ["none", "2", "8"]
    assert [(line.name, line.values) for line in fgsm.lines] == [("a", "0: 50.0, 2: 20.0, 8: 10.0")]
    usual, whole = line_charts(images, RESOLUTION)
    assert [text for _, text in usual.below] == [".5", "1", "2"]
    assert [line.values for line in usual.lines] == [
        "0.5: 30.0, 1: 50.0, 2: 40.0",
        "1: 50.0, 2: 45.0",
    ]
    assert whole.title == "windows whole: toy test, toy-ss"
    own = "1: 49.0, 2: 48.0"  # not the clean number, which is not of other windows
    assert [line.values for line in whole.lines] == [own]
    page = robustness_pictures(rows, ("attack",))
    assert page.count("bound of an attack, grey levels") == 2
    assert "size of test images" not in page
    assert "size of test images, times that of the protocol" in robustness_pictures(rows)


def test_a_part_of_the_images_is_drawn_from_its_own_clean_number() -> None:
    part = replace(curve("attack", "pgd, one image in 10", s2=30, s8=10), clean=44.0)
    (chart,) = line_charts(on_same_images([measured("one", part)])[0], ATTACK)
    assert chart.title.startswith("pgd, one image in 10: ")
    assert chart.lines[0].values == "0: 44.0, 2: 30.0, 8: 10.0"


def test_what_is_kept_over_the_clean_number() -> None:
    rows = [measured("a", fog(s1=40.0)), measured("b", fog(s1=30.0, s2=1.0))]
    found = tradeoff(on_same_images(rows)[0])
    assert found
    assert [cloud.values for cloud in found.clouds] == [
        "clean 50.0, 80 % kept",
        "clean 50.0, 60 % kept",
    ]
    (a,), (b,) = (cloud.marks for cloud in found.clouds)
    assert float(a[1]) < float(b[1])  # pixels go down
    assert tradeoff(on_same_images(rows[:1])[0]) is None


def test_without_disturbance_there_is_nothing() -> None:
    assert robustness_pictures([make_row()]) == ""


def test_a_page_has_the_kinds_it_is_about() -> None:
    rows = [measured("a", fog(s1=40.0), curve("parameter_noise", "parameter_noise", s1=9.0))]
    both, one = robustness_pictures(rows), robustness_pictures(rows, ("parameter_noise",))
    assert "Kept under corruptions" in both
    assert "noise on parameters" in both
    assert "Kept under corruptions" not in one
    assert "noise on parameters" in one


def test_a_statement_has_pictures_of_what_it_compares() -> None:
    part = {
        "kind": "evidence",
        "about": "kept",
        "subject": ["a", "b"],
        "other": "c",
        "relation": "higher",
        "quantity": "kept",
        "condition": "corruption",
        "protocol": "toy-ss",
        "budget": "none",
        "as_published": False,
    }
    entry = Statement.model_validate(
        {
            "id": "s",
            "text": "A beats B",
            "source": "abstract",
            "paper": "toy",
            "title": "T",
            "parts": [part],
        }
    )
    rows = [measured(name, fog(s1=40.0)) for name in "abcd"]
    row = Row(RowSubject(entry), rows[0].verdict, "")
    found = compared_in(row, rows)
    assert [one.run for one in found.rows] == ["a", "b", "c"]
    assert found.kinds == ("corruption",)
    assert compared_in(rows[0], rows).rows == ()


def test_a_run_has_a_page_of_its_own_for_mlflow() -> None:
    row = measured("a", fog(s1=40.0))
    page = robustness_page(row)
    assert "Kept under corruptions" in page
    assert ".heat td" in page
    assert robustness_page(make_row()) == ""


def test_the_sheet_of_examples_stands_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))
    row = measured("a", fog(s1=40.0))

    def pages() -> list[str]:
        docs = Docs(tmp_path / "reports")
        return [render_html([row], docs=docs), render_claim(row, "a", {}, docs)]

    assert all("corruptions.webp" not in page for page in pages())
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "corruptions.webp").touch()
    assert all('src="../docs/corruptions.webp"' in page for page in pages())


def printed(sigma: float, value: float, model: str, source: str = "Figure 3") -> Row:
    """A claim about one level of noise."""
    return printed_row(model, "mIoU-n", value, source, noise=sigma)


def test_printed_curves_of_noise_are_drawn_figure_by_figure() -> None:
    rows = [
        *(printed(sigma, 50 - 100 * sigma, "a") for sigma in (0.1, 0.01)),
        printed(0.1, 30.0, "b"),
        printed(0.1, 20.0, "a", source="Figure 4"),
        make_row(),
    ]
    third, fourth = printed_noise(rows)
    assert third.title == "toy test, as printed in Figure 3"
    assert [text for _, text in third.below] == [".01", ".1"]
    assert [(line.name, line.values, line.band) for line in third.lines] == [
        ("a", "0.01: 49.0, 0.1: 40.0", ""),
        ("b", "0.1: 30.0", ""),
    ]
    assert [line.values for line in fourth.lines] == ["0.1: 20.0"]
    assert "as printed in Figure 3" in robustness_pictures(rows)
    assert robustness_pictures(rows, ("corruption",)) == ""
    assert compared_in(rows[0], rows).rows == tuple(rows[:3])
    page = render_claim(rows[0], "a", {}, None, compared_in(rows[0], rows))
    assert "as printed in Figure 3" in page
    assert "Figure 4" not in page


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        ([], ""),
        ([curve("parameter_noise", "parameter noise", s0_1=20.0)], ""),
        ([fog(s3=40.0)], "1 corruption, severity 3"),
        ([fog(s1=40.0, s3=30.0)], "1 corruption, severities 1, 3"),
        (
            [fog(s1=40.0, s2=30.0), curve("corruption", "snow", s2=20.0, s3=10.0)],
            "2 corruptions, severities 1 to 3",
        ),
    ],
)
def test_a_mean_says_what_it_is_over(curves: list[Curve], said: str) -> None:
    assert corruptions(Robustness(clean=CLEAN, mean=None, ratio=None, curves=tuple(curves))) == said


def test_tables_of_one_network_are_told_apart_by_their_runs() -> None:
    found = Robustness(CLEAN, 40.0, 0.8, (fog(s1=40.0),))
    rows = [measured(f"net-{seed}", seed=seed, robustness=found) for seed in range(2)]
    page = robustness_section(rows)
    assert [page.count(f"run net-{seed},") for seed in range(2)] == [1, 1]
    assert page.count("mean over 1 corruption, severity 1: 40.00, 80% kept") == 2
