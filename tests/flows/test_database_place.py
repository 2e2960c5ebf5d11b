"""MLflow's database lies in the project, whatever the project is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import tracking
from segmodels.errors import SegmodelsError


@pytest.mark.parametrize("name", ["a#b", "a%20b", "a b", "é…", "a&c=d", "a?mode=memory"])
def test_the_database_lies_in_the_project(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / name
    (root / "params").mkdir(parents=True)
    (root / "params" / "protocols.yaml").write_text("{}\n")
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    monkeypatch.chdir(root)
    from mlflow import MlflowClient  # here, or every worker imports it

    place = (root / "mlartifacts").as_uri()
    MlflowClient(tracking.default_uri()).create_experiment("x", artifact_location=place)
    assert sorted(path.name for path in root.iterdir()) == ["mlflow.db", "params"]
    assert list(tmp_path.iterdir()) == [root]

    monkeypatch.chdir(tmp_path)
    if "?" in name:
        with pytest.raises(SegmodelsError, match="cannot lie below a folder with"):
            tracking.default_uri()
