"""Tables from stored numbers to classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodels.core.arrays import VOID
from segmodels.datasets.reading.encoding import Encoding, contiguous, values
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.registry import DATASETS
from segmodels.errors import SegmodelsError

HERE = Path("somewhere/a.png")
ENCODINGS = [
    pytest.param(kind, encoding, id=f"{name}-{way or 'only'}")
    for name, kind in DATASETS.items()
    if issubclass(kind, FolderDataset)
    for way, encoding in kind.encodings.items()
]


def hint(found):
    return f"Saw {sorted(found)}."


@given(
    classes=st.dictionaries(st.integers(0, 255), st.integers(0, 200), max_size=30),
    void=st.sets(st.integers(0, 255), max_size=5),
    stored=st.lists(st.integers(0, 255), min_size=1, max_size=40),
)
def test_every_number_becomes_its_class_or_is_named(classes, void, stored):
    encoding = Encoding.of("numbers", classes, void - set(classes))
    label = np.array([stored], dtype=np.uint8)
    before = label.copy()
    strays = sorted(set(stored) - set(classes) - void)
    if strays:
        with pytest.raises(SegmodelsError, match="none of the numbers") as caught:
            encoding.decode(HERE, label, hint)
        assert f"label {', '.join(map(str, strays[:5]))} is" in str(caught.value)
        assert str(HERE) in str(caught.value)
        assert str(caught.value).endswith(hint(set(stored)))
    else:
        found = encoding.decode(HERE, label, hint)
        assert found.tolist() == [[classes.get(value, VOID) for value in stored]]
    np.testing.assert_array_equal(label, before)  # reduced labels must not leak into the input


@pytest.mark.parametrize(("kind", "encoding"), ENCODINGS)
def test_every_encoding_reaches_every_class_once(kind, encoding):
    reached = encoding.table[encoding.known]
    classes = reached[reached != VOID]
    if kind.name != "coco_stuff_164k_182":
        assert len(classes) == len(kind.class_names)
    assert sorted(classes) == list(range(len(kind.class_names)))
    assert (encoding.table[~encoding.known] == VOID).all()


def test_contiguous_numbers_begin_where_they_are_told_to():
    encoding = contiguous("three", 3, first=1, void=(0,))
    stored = np.array([[0, 1, 2, 3]], dtype=np.uint8)
    assert encoding.decode(HERE, stored, hint).tolist() == [[VOID, 0, 1, 2]]
    with pytest.raises(SegmodelsError, match="label 4 is none of the three"):
        encoding.decode(HERE, stored + 1, hint)


def test_values_are_what_occurs():
    assert values(np.array([[3, 255], [3, 0]], dtype=np.uint8)) == {0, 3, 255}
