from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from segmodels.cli import main, robustness
from segmodels.metrics.comparable import Measured
from segmodels.metrics.ranking import Ranked
from segmodels.metrics.robustness import Robustness, summarise
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")
STRICT = Protocol(name="strict", version=1, title="void is an error", void="error")


def measured(right: int, severities: tuple[int, ...] = (1, 2)) -> Robustness:
    """Fog at some severities; the more is right, the less is lost."""
    disturbed = [
        synthetic.evidence(
            synthetic.matrices(6, right=right // severity),
            condition={"corruption": "fog", "severity": severity, "seed": 0},
        )
        for severity in severities
    ]
    return summarise(synthetic.evidence(), disturbed, PLAIN)


def test_a_table_of_runs_on_the_images_of_the_reference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {
        "weak": ("toy test", [Measured(PLAIN, measured(20))]),
        "strong": ("toy test", [Measured(PLAIN, measured(50))]),
        "elsewhere": ("shapes test", [Measured(PLAIN, measured(50))]),
    }
    monkeypatch.setattr(robustness, "_measured", lambda kind: known)
    ranks = {"strong": Ranked(40.0, (38.5, 41.5), (1, 1)), "weak": Ranked(9.0, (1.0, 17.0), (1, 2))}
    monkeypatch.setattr(robustness, "_ranked", lambda groups: [ranks for _ in groups])
    assert main(["robustness", "weak"]) == 0
    title, _, counted, head, first, second = capsys.readouterr().out.splitlines()
    assert title == "toy test, beside weak; percent"
    assert counted == "plain (plain): 1 corruption, severities 1, 2; 2 conditions"
    assert head.split() == ["mIoU", "kept", "CD", "rCD", "interval", "rank"]
    assert first.split()[0] == "strong"  # most is kept
    assert float(first.split()[3]) < 100
    assert second.split()[0] == "weak"
    assert first.split()[5:] == ["38.50-41.50", "1"]
    assert second.split()[3:] == ["100.00", "100.00", "1.00-17.00", "1-2"]

    assert main(["robustness", "weak", "--corruptions"]) == 0
    lines = capsys.readouterr().out.splitlines()[4:]
    assert [line.split()[:2] for line in lines] == [
        [run, name] for run in ("strong", "weak") for name in ("fog", "mean")
    ]
    assert main(["robustness", "wek"]) != 0
    assert "Did you mean 'weak'" in capsys.readouterr().err
    monkeypatch.setattr(robustness, "_measured", lambda kind: {})
    assert main(["robustness", "weak"]) != 0
    assert "no run was measured under corruptions yet" in capsys.readouterr().err


def test_what_cannot_be_compared_stands_in_tables_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {
        "asked": ("toy test", [Measured(PLAIN, measured(20))]),
        "less": ("toy test", [Measured(PLAIN, measured(50, severities=(1,)))]),
        "strict": ("toy test", [Measured(STRICT, measured(50))]),
    }
    monkeypatch.setattr(robustness, "_measured", lambda kind: known)
    alone = {name: Ranked(50.0, (40.0, 60.0), (1, 1)) for name in known}
    monkeypatch.setattr(robustness, "_ranked", lambda groups: [alone for _ in groups])
    assert main(["robustness", "asked"]) == 0
    _, *tables = capsys.readouterr().out.split("\n\n")
    lines = [table.splitlines() for table in tables]
    assert [one[0] for one in lines] == [
        "plain (plain): 1 corruption, severities 1, 2; 2 conditions",
        "plain (plain): 1 corruption, severity 1; 1 condition",
        "strict (void is an error): 1 corruption, severities 1, 2; 2 conditions",
    ]
    asked, less, strict = ([line.split() for line in one[2:]] for one in lines)
    assert [one[0] for one in (*asked, *less, *strict)] == ["asked", "less", "strict"]
    assert float(less[0][3]) < 100  # beside the same severity of the reference
    assert strict[0][3:5] == ["-", "-"]  # which was not counted so


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
    both = summarise(clean, seen, PLAIN)
    known = {
        "one": ("toy test", [Measured(PLAIN, both)]),
        "other": ("toy test", [Measured(STRICT, both)]),
    }
    kinds: list[str] = []
    monkeypatch.setattr(robustness, "_measured", lambda kind: kinds.append(kind) or known)
    assert main(["robustness", "one", "--resolutions"]) == 0
    title, asked, strict = capsys.readouterr().out.split("\n\n")
    protocol, head, first, second = asked.splitlines()
    assert protocol == "plain (plain)"
    assert strict.startswith("strict (void is an error)\n")
    assert [line.split()[0] for line in strict.splitlines()[2:]] == ["other", "other"]
    assert kinds == ["resolution"]
    assert title.startswith("toy test, mIoU by test resolution")
    assert head.split() == ["windows", "x0.5", "x1", "x2"]
    half = summarise(clean, seen[:1], PLAIN).curves[0].points[0]
    assert half.ratio is not None
    cell = [f"{half.miou:.2f}", f"({100 * half.ratio:.1f})"]
    intact = f"{both.clean:.2f}"
    assert first.split() == ["one", "protocol", *cell, intact, "(100.0)", "-"]
    assert second.split()[:4] == ["one", "whole", "-", "-"]
    with pytest.raises(SystemExit):
        main(["robustness", "one", "--resolutions", "--corruptions"])

    condition = {"resolution": 0.5, "every": 2}
    part = synthetic.evidence(synthetic.matrices(6, right=20)[::2], 6, condition=condition)
    found = summarise(clean, [*seen, part], PLAIN)
    known["one"] = ("toy test", [Measured(PLAIN, found)])
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
    assert main(["robustness", "camvid-espnet"]) == 0
    title, first, *others = capsys.readouterr().out.split("\n\n")
    assert title == "camvid test, beside camvid-espnet; percent"
    heading, _, *lines = first.splitlines()
    assert heading.startswith("espnet-camvid (")
    assert heading.endswith("19 corruptions, severities 1 to 5; 95 conditions")
    cells = {line.split()[0]: line.split()[1:] for line in lines}
    assert {"camvid-espnet", "camvid-cgnet", "camvid-enet"} <= cells.keys()
    low, high = map(float, cells["camvid-espnet"][-2].split("-"))
    assert low < float(cells["camvid-espnet"][0]) < high
    (quick,) = (one for one in others if "camvid-segformer-half" in one)
    assert quick.startswith("camvid-half (")
    assert "4 corruptions, severities 1, 3, 5; 12 conditions" in quick
    assert "camvid-equal-unet-0" not in quick
    assert quick.split()[-1] != "-"
