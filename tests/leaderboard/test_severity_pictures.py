"""Curves over the severity of corruptions, and one network marked among the others."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_rows import make_row, printed_row
from synthetic import project

from segmodels.leaderboard import Row, robustness_page
from segmodels.leaderboard.charts.networks import on_same_images
from segmodels.leaderboard.charts.printed_corruptions import printed_corruptions
from segmodels.leaderboard.charts.robustness_pictures import own_pictures, robustness_pictures
from segmodels.leaderboard.charts.severities import own_severity_charts, severity_charts
from segmodels.leaderboard.claim_page import render_claim
from segmodels.leaderboard.compared import compared_in
from segmodels.leaderboard.pages import render_pages
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness

CLEAN = 50.0


def curve(name: str, levels: dict[float, float], kind: str = "corruption") -> Curve:
    """mIoU by strength."""
    points = (CurvePoint(level, miou, miou / CLEAN) for level, miou in levels.items())
    return Curve(kind, name, tuple(points))


def measured(run: str, *curves: Curve, seed: int | None = None, **changes: Any) -> Row:
    """A run with curves, trained from a seed if it has one."""
    training = {"model": "net", "overrides": {}, "recipe": {"name": "short"}, "seed": seed}
    origin = {"released": "toy"} if seed is None else {"trained": run, "training": training}
    flat: dict[str, Any] = {
        **{"claim": None, "claimed": None, "dataset": "toy", "split": "test", "run": run},
        **{"evidence": run.ljust(16, "0"), "weights": run.ljust(64, "0")},
        **{"weights_origin": origin, "robustness": Robustness(CLEAN, None, None, curves)},
    }
    return make_row(**(flat | changes))


def noises(one: float, other: float) -> tuple[Curve, Curve]:
    return curve("gaussian_noise", {1: one, 5: 1.0}), curve("shot_noise", {1: other, 5: 3.0})


def marked(page: str) -> list[str]:
    """Names of networks that legends mark."""
    return re.findall(r'<li class="n\d own">.*?</svg>([\w-]+)', page)


def test_networks_have_the_mean_over_a_family_at_each_severity() -> None:
    rows = [
        measured("net-0", *noises(40.0, 20.0), curve("fog", {3: 9.0}), seed=0),
        measured("net-1", *noises(44.0, 24.0), seed=1),
        measured("part", curve("gaussian_noise", {1: 45.0})),
        measured("own", curve("mine", {2: 7.0})),
    ]
    noise, weather, other = severity_charts(on_same_images(rows)[0])
    assert noise.title == "noise (mean over gaussian noise, shot noise): toy test, toy-ss"
    assert [text for _, text in noise.below] == ["none", "1", "5"]
    (net,) = noise.lines  # a mean over fewer corruptions would not stand beside it
    assert (net.name, net.number) == ("net", "2 trainings")
    assert net.values == "0: 50.0, 1: 32.0, 5: 2.0"
    assert net.band
    assert weather.title == "weather (fog): toy test, toy-ss"
    assert [(line.number, line.values) for line in weather.lines] == [("", "0: 50.0, 3: 9.0")]
    assert other.title == "other (mine): toy test, toy-ss"
    assert "severity of corruptions, 1 to 5" in robustness_pictures(rows)
    assert "severity of corruptions" not in robustness_pictures(rows, ("attack",))


def test_severities_that_not_all_went_through_are_left_out() -> None:
    rows = [
        measured("a", curve("fog", {1: 40.0, 2: 30.0})),
        measured("b", curve("fog", {2: 20.0, 3: 10.0})),
    ]
    (chart,) = severity_charts(on_same_images(rows)[0])
    assert [line.values for line in chart.lines] == ["0: 50.0, 2: 30.0", "0: 50.0, 2: 20.0"]
    rows[1] = measured("b", curve("fog", {3: 10.0}))
    (chart,) = severity_charts(on_same_images(rows)[0])
    assert [line.values for line in chart.lines] == ["0: 50.0, 1: 40.0, 2: 30.0"]


def test_one_training_has_a_line_for_each_corruption() -> None:
    variant = curve("fog", {1: 2.0}, kind="corruption, variant hendrycks")
    found = Robustness(CLEAN, None, None, (*noises(40.0, 20.0), curve("snow", {2: 8.0}), variant))
    noise, weather = own_severity_charts(found, "toy")
    assert [(line.name, line.values) for line in noise.lines] == [
        ("gaussian noise", "0: 50.0, 1: 40.0, 5: 1.0"),
        ("shot noise", "0: 50.0, 1: 20.0, 5: 3.0"),
    ]
    assert [line.name for line in weather.lines] == ["snow"]
    assert len({line.place for line in noise.lines}) == 2
    assert own_severity_charts(replace(found, curves=(variant,)), "toy") == []


def test_a_network_is_marked_among_those_on_the_same_images() -> None:
    sigma = curve("parameter_noise", {0.1: 9.0}, kind="parameter_noise")
    attack = curve("fgsm", {2: 9.0}, kind="attack")
    rows = [
        measured("a", curve("fog", {1: 40.0}), sigma),
        measured("b", curve("fog", {1: 30.0}), sigma, attack),
        measured("c", curve("fog", {1: 20.0}), attack),
    ]
    (images,) = on_same_images(rows)
    page = own_pictures(rows[0], images)
    assert marked(page) == ["a", "a"]  # of noise on parameters, and of what is kept
    assert "bound of an attack" not in page  # which it was not measured under
    assert re.findall(r'<th scope="col" class="own">(\w+)', page) == ["a"]
    assert page.count('class="own k80"') == 2  # fog, and the mean
    assert marked(own_pictures(rows[1], images)) == ["b", "b", "b"]
    assert "own" not in robustness_pictures(rows)


def test_a_network_alone_is_not_marked() -> None:
    row = measured("a", curve("fog", {1: 40.0}))
    for page in (own_pictures(row), own_pictures(row, on_same_images([row])[0])):
        assert "severity of corruptions" in page
        assert "Kept under corruptions" in page
        assert 'own"' not in page
        assert "Beside all networks" not in page
    assert own_pictures(make_row()) == ""
    assert "severity of corruptions" in robustness_page(row)


def test_curves_of_one_training_are_under_its_own_protocol() -> None:
    usual = [measured(name, curve("fog", {1: 40.0})) for name in "ab"]
    row = measured("c", curve("fog", {1: 40.0}), protocol="toy-ms")
    (images,) = on_same_images([*usual, row])
    assert images.title == "toy test, toy-ss (unless a name says another protocol)"
    assert "weather: toy test, toy-ms." in own_pictures(row, images)


def test_the_page_of_a_claim_compares_its_network_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))
    alone = measured("far", curve("fog", {1: 40.0}), split="val")
    rows = [measured(name, curve("fog", {1: 40.0})) for name in "ab"]
    pages = {path.name: text for path, text in render_pages([*rows, alone], tmp_path).items()}
    first, last = pages["a-toy-ss.html"], pages["far-toy-ss.html"]
    assert marked(first) == ["a"]
    assert marked(pages["b-toy-ss.html"]) == ["b"]
    assert ">far" not in first.partition("When images or parameters")[2].partition("<details")[0]
    assert marked(last) == []
    assert "weather: toy val, toy-ss." in last
    assert "severity of corruptions" in render_claim(rows[0], "a", {})


def table_entry(model: str, corruption: str, value: float, source: str = "Table 5") -> Row:
    """A claim about one corruption."""
    return printed_row(model, "mIoU-c", value, source, corruption=corruption)


def test_printed_tables_of_corruptions_are_heat_maps() -> None:
    rows = [
        *(table_entry("a", name, value) for name, value in (("fog", 40.0), ("snow", 30.0))),
        *(table_entry("b", name, value) for name, value in (("fog", 60.0), ("snow", 20.0))),
        table_entry("part", "fog", 90.0),
        table_entry("a", "fog", 11.0, source="Table 6"),
        make_row(),
    ]
    fifth, sixth = printed_corruptions(rows)
    assert fifth.title == "toy test, as printed in Table 5"
    assert fifth.networks == [("b", ""), ("a", ""), ("part", "")]
    assert [(one.name, one.kept) for one in fifth.lines] == [
        ("fog", [60.0, 40.0, 90.0]),
        ("snow", [20.0, 30.0, None]),
    ]
    assert fifth.mean == [40.0, 35.0, None]
    assert sixth.networks == [("a", "")]
    assert "as printed in Table 5" in robustness_pictures(rows)
    assert robustness_pictures(rows, ("parameter_noise",)) == ""
    page = render_claim(rows[0], "a", {}, None, compared_in(rows[0], rows))
    assert "mIoU under corruptions, %" in page
    assert "as printed in Table 5" in page
    assert "Table 6" not in page
