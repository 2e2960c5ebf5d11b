"""Images shown at another size, whole or in other windows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import small_project

from segmodels import steps
from segmodels.core import paths
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.evaluate import evaluate
from segmodels.evidence import evidence_files
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.robustness.resolution import seen
from segmodels.robustness.suite import load_stress_suite
from segmodels.runs.run import load_run
from segmodels.steps.loading import subject_of

PLAIN = Protocol(name="plain", version=1, title="whole images")
SIZES = """
sizes: {title: t, resolutions: [0.5, 1.0], windows: [protocol, whole, 48]}
"""


def suite(tmp_path: Path, text: str = SIZES):
    (tmp_path / "robustness.yaml").write_text(text)
    return load_stress_suite("sizes", tmp_path / "robustness.yaml")


def test_a_factor_is_of_every_scale_and_windows_are_another_matter() -> None:
    window = PLAIN.replace(
        resize_short=96, window=64, stride=48, enlarge=True, scales=(1.0, 2.0), flip=True
    )
    half = seen(window, {"resolution": 0.5})
    assert half == window.replace(scales=(0.5, 1.0))
    whole = seen(window, {"resolution": 0.5, "windows": "whole"})
    assert whole == PLAIN.replace(resize_short=96, scales=(0.5, 1.0), flip=True)
    small = seen(window, {"resolution": 1.0, "windows": 32})
    assert small == whole.replace(scales=(1.0, 2.0), window=32, stride=32)
    with pytest.raises(SegmodelsError, match="whole images"):
        seen(PLAIN.replace(upsample_once=True), {"resolution": 1.0, "windows": 32})


def test_what_a_protocol_does_anyway_is_no_condition(tmp_path: Path) -> None:
    sizes = suite(tmp_path)
    whole = [
        {"resolution": 0.5},
        {"resolution": 0.5, "windows": 48},
        {"resolution": 1.0, "windows": 48},
    ]
    assert sizes.under(PLAIN) == whole
    in_windows = sizes.under(PLAIN.replace(window=48, stride=48))
    assert in_windows == [
        {"resolution": 0.5},
        {"resolution": 0.5, "windows": "whole"},
        {"resolution": 1.0, "windows": "whole"},
    ]
    assert len(sizes.conditions) == 6


def test_a_suite_that_changes_nothing_about_a_protocol_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    path = root / "params" / "robustness.yaml"
    with path.open("a") as file:
        file.write("one: {title: t, resolutions: [1.0], windows: [protocol, whole]}\n")
    told = f"{path}, suite 'one': field 'resolutions': none of them changes how protocol 'plain'"
    with pytest.raises(SegmodelsError, match=re.escape(told)):
        steps.stress_run("published", "one")
    assert not (paths.evidence() / "published" / "robustness-one").exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("corruptions: [fog], windows: [whole]", "lists no 'resolutions'"),
        ("resolutions: [0.0]", r"'resolutions\[0\]': expected above 0 and at most 16, found 0.0.$"),
        (
            "resolutions: [1.5], windows: [all]",
            r"'windows\[0\]': expected 'protocol', 'whole' or a number of pixels",
        ),
        ("resolutions: [1.5], windows: [0]", r"'windows\[0\]': expected 'protocol'"),
        ("resolutions: [1.5], windows: []", "but no 'windows'"),
        ("resolutions: [1.5, 2, 1.5]", "'resolutions': expected each once, found"),
        ("resolutions: [1.5], windows: [48, whole, 48]", "'windows': expected each once, found"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, fields: str, told: str) -> None:
    with pytest.raises(SegmodelsError, match=told):
        suite(tmp_path, f"sizes: {{title: t, {fields}}}\n")


def test_counts_are_those_of_the_protocol_that_shows_images_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    run = load_run("published")
    steps.ensure_inputs(run)
    with (root / "params" / "robustness.yaml").open("a") as file:
        file.write(SIZES)
    found = steps.stress_run("published", "sizes")
    assert len({one.images for one in found}) == len(found) == 3
    assert len(list(evidence_files(paths.evidence() / "published" / "robustness-sizes"))) == 3
    plain, dataset = load_protocol("plain"), open_dataset("shapes", "test")
    clean = subject_of(run, "cpu")
    for one in found:
        assert one.identity.inference == plain.inference_fp32
        asked, _ = evaluate(clean, dataset, seen(plain, one.identity.condition))
        assert asked.images == one.images
        assert asked.key != one.key
    told: list[tuple[int, int]] = []
    again = steps.stress_run(
        "published", "sizes", steps.Options(progress=lambda *n: told.append(n))
    )
    assert again == found
    assert told[-1] == (9, 9)
