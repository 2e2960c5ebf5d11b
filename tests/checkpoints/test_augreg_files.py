"""AugReg's .npz files, against what timm makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
from imagenet_networks import CLASSES, SIDE, assert_same, jax_arrays, of_timm

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models.preprocessing import HALF


@pytest.mark.parametrize("prefix", ["", "opt/target/"])
def test_augreg_as_timm_reads_it(tmp_path, vit, pixels, prefix) -> None:
    """The file is written here; timm's own reader and ours must make the same network of it."""
    arrays = jax_arrays(vit, heads=3, prefix=prefix)
    if prefix:
        arrays["opt/state/step"] = np.zeros(())
    np.savez(tmp_path / "Ti_16.npz", **arrays)
    fresh: Any = timm.create_model(
        "vit_tiny_patch16_224", depth=2, img_size=SIDE, num_classes=CLASSES
    )
    fresh.load_pretrained(str(tmp_path / "Ti_16.npz"))
    model = assert_same(tmp_path / "Ti_16.npz", fresh.eval(), pixels)
    assert (model.config["name"], model.preprocessing) == ("vit_tiny_patch16", HALF)
    (tmp_path / "Ti_16.npz").rename(tmp_path / "renamed")
    assert_same(tmp_path / "renamed", vit, pixels)


def test_augreg_says_its_heads_and_has_21843_classes(tmp_path, pixels) -> None:
    network = of_timm("vit_tiny_patch16_224", num_heads=6, num_classes=21843, depth=1)
    np.savez(tmp_path / "i21k.npz", **jax_arrays(network, heads=6))
    model = assert_same(tmp_path / "i21k.npz", network, pixels)
    assert (model.config["heads"], model.num_classes) == (6, 21843)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_logits/kernel": np.zeros((192, 192))}, r"1 unexpected \(.*pre_logits/kernel"),
        ({"cls": None}, r"1 missing \(encoder\.cls_token"),
        (
            {"Transformer/encoderblock_1/MultiHeadDotProductAttention_1/key/bias": None},
            r"lacks the tensor 'blocks\.1\.attn\.key\.bias'",
        ),
        ({"head/kernel": np.zeros(5)}, r"'head/kernel' has the shape \(5,\)"),
        ({"head/kernel": np.zeros((9, CLASSES))}, r"head\.weight is \(11, 9\) instead of"),
        ({"Transformer/posembed_input/pos_embedding": np.zeros((1, 9, 192))}, r"no square grid"),
        ({"Transformer/encoder_norm/scale": None, "head/kernel": None}, r"without its ImageNet"),
    ],
)
def test_a_wrong_augreg_file_is_named(tmp_path, vit, change, message) -> None:
    arrays = {**jax_arrays(vit, heads=3), **change}
    kept = {name: array for name, array in arrays.items() if array is not None}
    np.savez(tmp_path / "odd.npz", **kept)
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(tmp_path / "odd.npz")


def test_text_is_no_array_of_numbers(tmp_path, vit) -> None:
    np.savez(tmp_path / "text.npz", **jax_arrays(vit, heads=3), note=np.array(["hello"]))
    with pytest.raises(SegmodelsError, match="arrays that are no plain numbers"):
        load_checkpoint(tmp_path / "text.npz")
