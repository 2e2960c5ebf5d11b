from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from segmodels.cli import main, robustness
from segmodels.metrics.ranking import Ranked
from segmodels.metrics.robustness import Robustness, summarise
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")


def measured(right: int) -> Robustness:
    """Fog at two severities; the more is right, the less is lost."""
    disturbed = [
        synthetic.evidence(
            synthetic.matrices(6, right=right // severity),
            condition={"corruption": "fog", "severity": severity, "seed": 0},
        )
        for severity in (1, 2)
    ]
    return summarise(synthetic.evidence(), disturbed, PLAIN)


def test_a_table_of_runs_on_the_images_of_the_reference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {
        "weak": ("toy test", measured(20)),
        "strong": ("toy test", measured(50)),
        "elsewhere": ("shapes test", measured(50)),
    }
    monkeypatch.setattr(robustness, "_measured", lambda kind: known)
    ranks = {"strong": Ranked(40.0, (38.5, 41.5), (1, 1)), "weak": Ranked(9.0, (1.0, 17.0), (1, 2))}
    monkeypatch.setattr(robustness, "_ranked", lambda reference, runs: ranks)
    assert main(["robustness", "weak"]) == 0
    title, head, first, second = capsys.readouterr().out.splitlines()
    assert title == "toy test, beside weak; percent"
    assert head.split() == ["mIoU", "kept", "CD", "rCD", "interval", "rank"]
    assert first.split()[0] == "strong"  # most is kept
    assert float(first.split()[3]) < 100
    assert second.split()[0] == "weak"
    assert first.split()[5:] == ["38.50-41.50", "1"]
    assert second.split()[3:] == ["100.00", "100.00", "1.00-17.00", "1-2"]

    assert main(["robustness", "weak", "--corruptions"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[:2] for line in lines] == [
        [run, name] for run in ("strong", "weak") for name in ("fog", "mean")
    ]
    assert main(["robustness", "wek"]) != 0
    assert "Did you mean 'weak'" in capsys.readouterr().err
    monkeypatch.setattr(robustness, "_measured", lambda kind: {})
    assert main(["robustness", "weak"]) != 0
    assert "no run was measured under corruptions yet" in capsys.readouterr().err


def test_a_table_of_resolutions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = synthetic.evidence(synthetic.matrices(6, right=50))
    seen = [
        synthetic.evidence(synthetic.matrices(6, right=right), condition=condition)
        for right, condition in (
            (20, {"resolution": 0.5}),
            (40, {"resolution": 2.0, "windows": "whole"}),
        )
    ]
    known = {"one": ("toy test", summarise(clean, seen, PLAIN))}
    kinds: list[str] = []
    monkeypatch.setattr(robustness, "_measured", lambda kind: kinds.append(kind) or known)
    assert main(["robustness", "one", "--resolutions"]) == 0
    title, head, first, second = capsys.readouterr().out.splitlines()
    assert kinds == ["resolution"]
    assert title.startswith("toy test, mIoU by test resolution")
    assert head.split() == ["windows", "x0.5", "x1", "x2"]
    half = summarise(clean, seen[:1], PLAIN).curves[0].points[0]
    assert half.ratio is not None
    cell = [f"{half.miou:.2f}", f"({100 * half.ratio:.1f})"]
    intact = f"{known['one'][1].clean:.2f}"
    assert first.split() == ["one", "protocol", *cell, intact, "(100.0)", "-"]
    assert second.split()[:4] == ["one", "whole", "-", "-"]
    with pytest.raises(SystemExit):
        main(["robustness", "one", "--resolutions", "--corruptions"])

    condition = {"resolution": 0.5, "every": 2}
    part = synthetic.evidence(synthetic.matrices(6, right=20)[::2], 6, condition=condition)
    found = summarise(clean, [*seen, part], PLAIN)
    known["one"] = ("toy test", found)
    assert main(["robustness", "one", "--resolutions"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (some,) = (line.split() for line in lines if "one image in 2" in line)
    curve = next(one for one in found.curves if one.clean is not None)
    assert some[:6] == ["one", "protocol,", "one", "image", "in", "2"]
    assert some[8:10] == [f"{curve.clean:.2f}", "(100.0)"]


def test_published_runs_are_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(Path(__file__).parents[2]))
    assert main(["robustness", "camvid-unet-half"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "camvid test, beside camvid-unet-half; percent"
    cells = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert cells["camvid-segformer-half"][-1] != "-"
    low, high = map(float, cells["camvid-unet-half"][-2].split("-"))
    assert low < float(cells["camvid-unet-half"][0]) < high
