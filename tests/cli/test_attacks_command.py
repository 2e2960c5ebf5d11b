from __future__ import annotations

import pytest
import synthetic

from segmodels.cli import attacks, main
from segmodels.metrics.robustness import summarise
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")


def test_a_table_of_attacks_and_doubts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conditions = [
        ({"attack": "noise", "epsilon": 2, "steps": 3}, 50),
        ({"attack": "noise", "epsilon": 8, "steps": 3}, 45),
        ({"attack": "pgd", "epsilon": 2, "loss": "a"}, 30),
        ({"attack": "pgd", "epsilon": 8, "loss": "a"}, 5),
    ]
    few = [
        synthetic.evidence(synthetic.matrices(6, right=right), condition=condition)
        for condition, right in conditions
    ]
    found = summarise(synthetic.evidence(), few, PLAIN)
    monkeypatch.setattr(attacks, "_measured", lambda: {"run": found})
    assert main(["attacks", "run"]) == 0
    title, bounds, noise, pgd, doubts = capsys.readouterr().out.splitlines()
    assert title.startswith("mIoU, clean ")
    assert bounds.split() == ["clean", "2", "8"]
    assert noise.split()[:3] == ["noise,", "steps", "3"]
    assert [float(one) for one in pgd.split()[-3:]] == [
        round(miou, 2) for miou in (found.clean, *(one.miou for one in found.curves[1].points))
    ]
    assert doubts == "No sign that gradients are masked."
    assert main(["attacks", "rnu"]) != 0
    assert "Did you mean 'run'" in capsys.readouterr().err
    monkeypatch.setattr(attacks, "_measured", dict)
    assert main(["attacks", "run"]) != 0
    assert "no run was attacked yet" in capsys.readouterr().err
