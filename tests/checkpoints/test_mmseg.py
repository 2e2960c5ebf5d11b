"""mmsegmentation's files against its own logits, and files whose network only looks like ours."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_weights
import torch
from torch import nn

from segmodels.checkpoints import load_checkpoint
from segmodels.checkpoints.mmseg_backbones import mit
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import HALF, IMAGENET, Preprocessing

FOLDER = Path(__file__).parent.parent / "reference"
CASES = {
    "ccnet_resnet50": "ccnet_resnet50",
    "deeplabv3_resnet50": "deeplabv3_resnet50",
    "deeplabv3plus_aligned": "deeplabv3plus_mobilenetv2",
    "deeplabv3plus_mobilenetv2": "deeplabv3plus_mobilenetv2",
    "encnet_resnet50": "encnet_resnet50",
    "fcn_hrnetw18s": "fcn_hrnet_w18s",
    "fcn_mobilenetv2": "fcn_mobilenetv2",
    "fcn_resnet50": "fcn_resnet50",
    "icnet_resnet50": "icnet_resnet50",
    "ocrnet_hrnetw18s": "ocrnet_hrnetw18s",
    "pspnet_aligned": "pspnet_mobilenetv2",
    "pspnet_mobilenetv2": "pspnet_mobilenetv2",
    "segformer": "mmseg_segformer_b0",
    "segmenter_linear": "segmenter_vit_small_patch16_linear",
    "segmenter_mask": "segmenter_vit_tiny_patch16_mask",
    "setr_mla": "setr_mla",
    "setr_naive": "setr_naive",
    "setr_pup": "setr_pup",
    "unet": "mmseg_unet_s5_d16_fcn",
    "upernet_swin": "upernet_swin_tiny",
}


def read(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((FOLDER / f"mmseg_{name}.json").read_text())
    if other := case.get("tensors_of"):
        shared, own = read(other)["tensors"], case["tensors"]
        of_backbone = {key: one for key, one in shared.items() if key.startswith("backbone.")}
        case["tensors"] = {**of_backbone, **own} if own else shared
    return case


def state_of(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    arrays = reference_weights.state_dict(case["tensors"])
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def write(path: Path, state: dict[str, torch.Tensor], **meta: Any) -> Path:
    torch.save({"meta": meta, "state_dict": state}, path)
    return path


def test_every_stored_case_is_tested() -> None:
    assert {path.stem.removeprefix("mmseg_") for path in FOLDER.glob("mmseg_*.json")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_mmsegmentation(tmp_path, name) -> None:
    case, names = read(name), tuple("abcdefg")
    dataset = {"classes": names, "palette": [[0, 0, 0]] * 7}
    path = tmp_path / "iter_160000.pth"
    model = load_checkpoint(
        write(path, state_of(case), dataset_meta=dataset, cfg=case["config_text"])
    )
    assert model.config["name"] == CASES[name]
    assert model.align_corners == model.config.get("align_corners", False) == ("aligned" in name)
    assert model.class_names == names
    assert model.preprocessing == (HALF if name.startswith("segmenter") else IMAGENET)
    assert not model.training
    # Ours always has a bias in Segmenter's projection of patches.
    missing = 192 if name == "segmenter_mask" else 0
    assert sum(p.numel() for p in model.parameters()) == case["parameters"] + missing
    model.double()
    for output in case["outputs"]:
        images = torch.from_numpy(reference_weights.images((1, 3, *output["size"])))
        with torch.inference_mode():
            logits = model(images.double()).numpy()
        found = reference_weights.sampled(logits)
        np.testing.assert_allclose(found, output["logits"], rtol=1e-7, atol=1e-7)


def test_files_of_version_0_say_their_classes_elsewhere(tmp_path) -> None:
    """And a file without any config gets the assumptions that the module names."""
    state = {f"module.{k}": v for k, v in state_of(read("segmenter_linear")).items()}
    names = list("abcdefg")
    model = load_checkpoint(write(tmp_path / "latest.pth", state, CLASSES=names, PALETTE=None))
    assert model.class_names == tuple(names)
    assert model.preprocessing == HALF
    bare = load_checkpoint(write(tmp_path / "bare.pth", state))
    assert bare.class_names is None
    few = load_checkpoint(write(tmp_path / "few.pth", state, CLASSES=names[:3]))
    assert few.class_names is None


def test_eps_and_positions_of_the_port(tmp_path) -> None:
    config = load_checkpoint(write(tmp_path / "a.pth", state_of(read("segmenter_mask")))).config
    assert (config["norm_eps"], config["decoder_norm_eps"]) == (1e-6, 1e-5)
    assert config["position_resize"] == "bicubic"


def test_pixels_come_from_the_config(tmp_path) -> None:
    state = state_of(read("segmenter_linear"))
    text = "mean=[\n    1.5,\n    2.0,\n    3.0,\n]\nstd=[4, 5, 6]\n"
    one = load_checkpoint(write(tmp_path / "one.pth", state, cfg=f"{text}to_rgb=False"))
    assert one.preprocessing is not None
    assert one.preprocessing.to_dict() == {
        "channels": "BGR",
        "mean": [1.5, 2.0, 3.0],
        "std": [4.0, 5.0, 6.0],
        "divisor": 1.0,
    }


MEANS, STDS = "mean=[1.5, 2.0, 3.0]", "std=[4.0, 5.0, 6.0]"


@pytest.mark.parametrize(
    ("text", "channels", "mean", "std"),
    [
        ("mean=[1.2e2, 1e2, 90], std=[4, 5, 6], to_rgb=True", "RGB", (120, 100, 90), (4, 5, 6)),
        ("mean=(-1, -2.5, 0), std=(4, 5, 6), to_rgb=True", "RGB", (-1, -2.5, 0), (4, 5, 6)),
        ("'mean': [1, 2, 3], 'std': [4, 5, 6], 'to_rgb': False", "BGR", (1, 2, 3), (4, 5, 6)),
        (f"{MEANS}, {STDS}\n" * 2, "RGB", (1.5, 2, 3), (4, 5, 6)),
        (f"data_preprocessor=dict({MEANS}, {STDS})", "BGR", (1.5, 2, 3), (4, 5, 6)),
        (f"{MEANS}, {STDS}, init_cfg=dict(std=0.01)", "RGB", (1.5, 2, 3), (4, 5, 6)),
    ],
)
@pytest.mark.parametrize("network", ["mmseg", "nvlabs"])
def test_a_stated_normalisation_is_taken_as_python_reads_it(
    tmp_path, network, text, channels, mean, std
) -> None:
    path = write(tmp_path / "a.pth", a_state(network), cfg=text)
    assert load_checkpoint(path).preprocessing == Preprocessing(channels, mean, std)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{MEANS}, {STDS}\nmean=[0., 0., 0.]", r"says mean 2 times.*\[0.0, 0.0, 0.0\]"),
        (f"{MEANS}, {STDS}\nstd=[1, 1, 1]", r"says std 2 times"),
        (f"{MEANS}, {STDS}, to_rgb=True\nbgr_to_rgb=False", "says to_rgb 2 times"),
        (MEANS, "'std' must hold 3 numbers"),
        (f"mean=[1, 2], {STDS}", "'mean' must hold 3 numbers"),
        (f"{MEANS}, std=[1, 1, 0]", "'std' must be positive"),
        (f"{MEANS}, std=[1, 1, -1]", "'std' must be positive"),
        (f"mean=[0.5*255, 1, 1], {STDS}", r"has mean=\[0.5\*255, 1, 1\]; expected numbers"),
        (f"mean=['a', 1, 1], {STDS}", "expected numbers"),
        (f"mean=[1e999, 1, 1], {STDS}", "expected numbers"),
        (f"mean=MEAN, {STDS}", "has mean=MEAN instead of numbers"),
        ("mean=None, std=None", "has mean=None and std=None instead of numbers"),
    ],
)
@pytest.mark.parametrize("network", ["mmseg", "nvlabs"])
def test_a_normalisation_that_is_not_clear_is_refused(tmp_path, network, text, message) -> None:
    with pytest.raises(SegmodelsError, match=rf"a\.pth: .*{message}"):
        load_checkpoint(write(tmp_path / "a.pth", a_state(network), cfg=text))


def a_state(network: str) -> dict[str, torch.Tensor]:
    if network == "mmseg":
        return state_of(read("segmenter_linear"))
    return dict(create_model("segformer_nano", num_classes=5).state_dict())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("segmenter_linear", "num_heads=12", "has num_heads 12.*has 6"),
        ("upernet_swin", "window_size=12", "has window_size 12"),
        ("pspnet_mobilenetv2", "pool_scales=(1, 2, 4, 8)", r"pool_scales \(1, 2, 4, 8\)"),
        ("fcn_resnet50", "style='caffe'", "stride in the first convolution"),
        ("fcn_resnet50", "contract_dilation=False", "contract_dilation"),
        ("setr_mla", "out_indices=(0, 1)\nout_indices=(1, 2)", "says out_indices 2 times"),
        ("fcn_resnet50", "act_cfg=dict(type='SiLU')", "activation SiLU"),
    ],
)
def test_sizes_that_no_tensor_shows_are_compared(tmp_path, name, text, message) -> None:
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(write(tmp_path / "odd.pth", state_of(read(name)), cfg=text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("multi_grid=(1, 2, 4)", "multi-grid"),
        ("dilations=(1, 1,\n 1, 2)", r"dilations \(1, 1, 1, 2\)"),
        ("dilations=(1, 1, 1, 1)", r"dilations \(1, 1, 1, 1\)"),
        ("strides=(1, 2, 2, 2)", r"strides \(1, 2, 2, 2\)"),
        ("dilations=(1, 6, 12, 18)", r"dilations \(1, 6, 12, 18\)"),
    ],
)
def test_what_tensors_do_not_show_is_refused(tmp_path, text, message) -> None:
    state = state_of(read("fcn_mobilenetv2"))
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(write(tmp_path / "odd.pth", state, cfg=text))
    load_checkpoint(write(tmp_path / "even.pth", state, cfg="dilations=(1, 1, 1, 2, 2, 4, 4)"))


def test_aligned_corners_where_a_network_has_none_are_refused(tmp_path) -> None:
    text = "decode_head=dict(align_corners = True)"
    with pytest.raises(SegmodelsError, match="upsamples with aligned corners"):
        load_checkpoint(write(tmp_path / "odd.pth", state_of(read("unet")), cfg=text))


def test_the_blocks_that_setr_reads_must_be_known(tmp_path) -> None:
    with pytest.raises(SegmodelsError, match=r"encoder of 3 blocks is in no tensor.*out_indices"):
        load_checkpoint(write(tmp_path / "setr.pth", state_of(read("setr_mla"))))


def test_a_width_without_known_heads_is_refused(tmp_path) -> None:
    state = state_of(read("segmenter_linear"))
    state["backbone.patch_embed.projection.weight"] = torch.zeros(320, 3, 16, 16)
    with pytest.raises(SegmodelsError, match=r"ViT of width 320.*Known widths: 192, 384"):
        load_checkpoint(write(tmp_path / "odd.pth", state))


def test_another_resnet_is_named(tmp_path) -> None:
    state = state_of(read("fcn_resnet50"))
    plain = {
        key.replace("backbone.stem.0.", "backbone.conv1."): value for key, value in state.items()
    }
    with pytest.raises(SegmodelsError, match=r"stem of one convolution and \(3, 4, 6, 3\) blocks"):
        load_checkpoint(write(tmp_path / "v1b.pth", plain))
    short = {key: value for key, value in state.items() if not key.startswith("backbone.layer3.5")}
    with pytest.raises(SegmodelsError, match=r"three convolutions and \(3, 4, 5, 3\) blocks"):
        load_checkpoint(write(tmp_path / "r47.pth", short))


def test_an_unknown_network_is_described(tmp_path) -> None:
    state = {"backbone.conv1.weight": torch.zeros(1), "decode_head.query.weight": torch.zeros(1)}
    with pytest.raises(SegmodelsError, match=r"not known here; it has backbone.conv1, decode_head"):
        load_checkpoint(write(tmp_path / "new.pth", state))


@pytest.mark.parametrize("name", ["segmenter_mask", "setr_pup", "upernet_swin"])
def test_missing_and_left_over_tensors_are_named(tmp_path, name) -> None:
    case = read(name)
    state = state_of(case)
    state["backbone.extra"] = torch.zeros(1)
    gone = next(key for key in state if key.startswith("decode_head.") and key.endswith(".bias"))
    del state[gone]
    with pytest.raises(SegmodelsError, match=r"1 missing \(.*1 unexpected \(.*extra"):
        load_checkpoint(write(tmp_path / "a.pth", state, cfg=case["config_text"]))


def theirs(model: nn.Module) -> dict[str, torch.Tensor]:
    """A SegFormer of ours with its encoder as mmsegmentation lays it out."""
    ours, state = model.state_dict(), {}
    for key, value in ours.items():
        part, _, rest = key.removeprefix("backbone.").partition(".")
        stage = f"backbone.layers.{int(part[-1]) - 1}" if key.startswith("backbone.") else ""
        if not stage:
            state[key] = value
        elif part.startswith("patch_embed"):
            state[f"{stage}.0.{rest.replace('proj.', 'projection.')}"] = value
        elif part.startswith("norm"):
            state[f"{stage}.2.{rest}"] = value
        elif ".attn.q." in key:
            both = torch.cat([value, ours[key.replace(".attn.q.", ".attn.kv.")]])
            state[f"{stage}.1.{rest.replace('attn.q.', 'attn.attn.in_proj_')}"] = both
        elif ".attn.kv." not in key:
            for old, new in (
                ("attn.proj.", "attn.attn.out_proj."),
                ("mlp.fc1.", "ffn.layers.0."),
                ("mlp.dwconv.dwconv.", "ffn.layers.1."),
                ("mlp.fc2.", "ffn.layers.4."),
            ):
                rest = rest.replace(old, new)
            is_linear = "ffn.layers." in rest and value.ndim == 2
            state[f"{stage}.1.{rest}"] = value[..., None, None] if is_linear else value
    return state


def test_a_converted_segformer_keeps_the_official_head(tmp_path, images) -> None:
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=5).eval()
    state = theirs(model)
    state["decode_head.conv_seg.weight"] = torch.zeros(5, 128, 1, 1)  # built and never used
    assert "backbone.layers.3.1.0.attn.attn.in_proj_weight" in state
    assert mit.renamed(state).keys() - model.state_dict().keys() == {"decode_head.conv_seg.weight"}
    loaded = load_checkpoint(write(tmp_path / "converted.pth", state))
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_cut_file_is_refused(tmp_path, keep, legacy) -> None:
    path = tmp_path / "cut.pth"
    content = {"meta": {}, "state_dict": state_of(read("setr_naive"))}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(SegmodelsError, match=r"cut\.pth cannot be read.*cut short"):
        load_checkpoint(path)


def test_no_warning_for_a_whole_file(tmp_path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        load_checkpoint(write(tmp_path / "a.pth", state_of(read("segmenter_linear"))))
    assert not caplog.records
