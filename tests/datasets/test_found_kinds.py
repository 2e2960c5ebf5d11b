"""Datasets are found by their files."""

from __future__ import annotations

import pytest

from segmodels.datasets import DATASETS, registry
from segmodels.datasets.shapes import Shapes
from segmodels.errors import SegmodelsError


def test_every_dataset_is_found_once_under_its_name() -> None:
    assert {"camvid", "coco_stuff_164k_182", "shapes"} <= set(DATASETS)
    assert all(kind.name == name for name, kind in DATASETS.items())
    assert "own" not in {kind.__module__.rpartition(".")[2] for kind in DATASETS.values()}


def test_two_datasets_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Copied(Shapes):
        name = "shapes"

    kinds = registry._kinds
    monkeypatch.setattr(
        registry, "_kinds", lambda module: [*kinds(module)] + [Copied] * (Shapes in kinds(module))
    )
    with pytest.raises(SegmodelsError, match=r"both read dataset 'shapes'; rename one"):
        list(registry._Kinds())
