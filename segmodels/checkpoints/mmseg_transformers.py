"""mmsegmentation's transformers: sizes from shapes of tensors, and names of tensors."""

from __future__ import annotations

import torch

from segmodels.checkpoints import nvlabs_segformer, segmenter
from segmodels.checkpoints.imagenet import heads_of, nearest, square
from segmodels.checkpoints.mmseg_backbones import mit, swin, vit
from segmodels.checkpoints.mmseg_file import Config, File, Tensors
from segmodels.checkpoints.strict import count, shape
from segmodels.errors import SegmodelsError, shown


def segmenter_of(file: File) -> tuple[Config, Tensors]:
    """Segmenter's port: eps 1e-6 in the encoder and 1e-5 in the mask decoder.

    Version 0.x had a bias in the projection of patches. Version 1.2 has none and drops that of
    an older file without a word; here it is used, and 0 where there is none.

    Where a side of the image is no multiple of the patch, mmsegmentation squeezes the logits of
    the padded image to its size; ours crops them as Segmenter does. Windows are multiples.
    """
    ours = vit.renamed(file.tensors, "encoder")
    width, _, patch_size, _ = file.shape("backbone.patch_embed.projection.weight", 4)
    ours.setdefault("encoder.patch_embed.proj.bias", torch.zeros(width))
    config = {
        **_vit(file, width, patch_size),
        "imagenet_classes": 0,
        "position_resize": file.described.backbone("interpolate_mode") or "bicubic",
    }
    if "decode_head.cls_emb" not in file.tensors:
        return _segmenter_linear(file, config, ours)
    config |= {
        "num_classes": file.shape("decode_head.cls_emb", 3)[1],
        "decoder": "mask",
        "decoder_layers": count(file.tensors, "decode_head.layers."),
        "decoder_dropout": 0.0,
        "decoder_drop_path": 0.1,
        "decoder_norm_eps": 1e-5,
    }
    return {"name": segmenter.name_of(config, "mask"), **config}, _mask_decoder(ours)


def _segmenter_linear(file: File, config: Config, ours: Tensors) -> tuple[Config, Tensors]:
    """The linear decoder, which is a 1x1 convolution there."""
    config |= {"num_classes": file.shape("decode_head.conv_seg.weight", 4)[0], "decoder": "linear"}
    ours["decoder.head.weight"] = ours.pop("decode_head.conv_seg.weight").flatten(1)
    ours["decoder.head.bias"] = ours.pop("decode_head.conv_seg.bias")
    return {"name": segmenter.name_of(config, "linear"), **config}, ours


def _mask_decoder(tensors: Tensors) -> Tensors:
    """Blocks as in the encoder; the bare matrices of ours are transposed linear layers there."""
    theirs, ours = "decode_head.", {}
    head = {key: value for key, value in tensors.items() if key.startswith(theirs)}
    renamed = vit.renamed(
        {"backbone." + key.removeprefix(theirs): value for key, value in head.items()}, "decoder"
    )
    for key, value in renamed.items():
        ours[key.replace("decoder.dec_proj.", "decoder.proj_dec.")] = value
    for part in ("patch", "classes"):
        matrix = ours.pop(f"decoder.{part}_proj.weight", None)
        if matrix is not None:
            ours[f"decoder.proj_{part}"] = matrix.T
    return {key: value for key, value in tensors.items() if key not in head} | ours


def setr_of(file: File) -> tuple[Config, Tensors]:
    """SETR with one of its three decoders."""
    width, _, patch_size, _ = file.shape("backbone.patch_embed.projection.weight", 4)
    steps = count(file.tensors, "decode_head.up_convs.")
    has_neck = any(key.startswith("neck.") for key in file.tensors)
    decoder = "mla" if has_neck else "naive" if steps == 1 else "pup"
    first = file.shape("decode_head.up_convs.0.0.conv.weight", 4)
    config = {
        **_vit(file, width, patch_size),
        "num_classes": file.shape("decode_head.conv_seg.weight", 4)[0],
        "decoder": decoder,
        "patch_bias": "backbone.patch_embed.projection.bias" in file.tensors,
        "channels": first[1] if has_neck else first[0],
        "position_resize": file.described.backbone("interpolate_mode") or "bilinear",
        "auxiliary": file.auxiliary,
    }
    config["outputs"] = _outputs(file, config)
    if has_neck:
        config["mla_channels"] = first[0]
    elif file.auxiliary:
        config["auxiliary_convs"] = count(file.tensors, "auxiliary_head.0.up_convs.")
    return {"name": f"setr_{decoder}", **config}, vit.renamed(file.tensors)


def _outputs(file: File, config: Config) -> list[int]:
    """Numbers of the blocks after which maps leave the encoder, counted from 1.

    In Naive and PUP only the last one, which is known, has a part in the result.

    Raises:
        SegmodelsError: neither the config nor the published depth says them.
    """
    indices = file.described.one("out_indices")
    if indices is not None:
        return [int(index) + 1 for index in indices]
    if config["layers"] == 24:
        return [6, 12, 18, 24] if config["decoder"] == "mla" else [10, 15, 20, 24]
    raise SegmodelsError(
        f"{file.path}: after which blocks maps leave an encoder of {config['layers']} blocks is "
        f"in no tensor; 'out_indices' in the config of its meta data would tell."
    )


def _vit(file: File, width: int, patch_size: int) -> Config:
    tokens = file.shape("backbone.pos_embed", 3)[1]
    side = square(file.path, tokens, extra=1)
    heads = heads_of(file.path, width)
    file.described.check_whole("num_heads", heads)
    return {
        "image_size": [patch_size * side, patch_size * side],
        "patch_size": patch_size,
        "width": width,
        "layers": count(file.tensors, "backbone.layers."),
        "heads": heads,
        "norm_eps": _norm_eps(file),
    }


def _norm_eps(file: File) -> float:
    """eps of a ViT's LayerNorms: as published, or as the config says; mmcv's own is 1e-5."""
    norm = file.described.backbone("norm_cfg")
    eps = norm.get("eps", 1e-5) if isinstance(norm, dict) else 1e-6
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise SegmodelsError(
            f"{file.path}: its config has model.backbone.norm_cfg.eps={shown(eps)}; it must be "
            f"a small positive number."
        )
    return eps


def segformer_of(file: File) -> tuple[Config, Tensors]:
    """mmsegmentation's MiT under the official head: official weights that were converted.

    Built with the official eps, 1e-5 behind patches and reductions; mmsegmentation's own MiT
    has 1e-6 there too.
    """
    unused = nvlabs_segformer.UNUSED
    ours = {key: value for key, value in mit.renamed(file.tensors).items() if key not in unused}
    return nvlabs_segformer.config_of(file.path, ours), ours


def mmseg_segformer_of(file: File) -> tuple[Config, Tensors]:
    """mmsegmentation's own SegFormer, of which only the encoder is the official one."""
    ours = mit.renamed(file.tensors)
    encoder = nvlabs_segformer.encoder_of(file.path, ours)
    num_classes, channels, _, _ = file.shape("decode_head.conv_seg.weight", 4)
    name = nvlabs_segformer.name_of("mmseg_segformer", encoder["widths"], encoder["depths"])
    return {"name": name, "num_classes": num_classes, **encoder, "channels": channels}, ours


def upernet_of(file: File) -> tuple[Config, Tensors]:
    """UPerNet on Swin, from mmsegmentation or from the fork of Swin's authors."""
    ours = swin.renamed(file.tensors)
    tables = "backbone.layers.{}.blocks.0.attn.relative_position_bias_table"
    stages = [shape(file.path, ours, tables.format(stage), 2) for stage in range(4)]
    config = {
        "num_classes": file.shape("decode_head.conv_seg.weight", 4)[0],
        "width": shape(file.path, ours, "backbone.patch_embed.proj.weight", 4)[0],
        "depths": [count(ours, f"backbone.layers.{stage}.blocks.") for stage in range(4)],
        "heads": [heads for _, heads in stages],
        "window": (round(stages[0][0] ** 0.5) + 1) // 2,
        "channels": file.shape("decode_head.conv_seg.weight", 4)[1],
        "auxiliary": file.auxiliary,
    }
    file.described.check_whole("window_size", config["window"])
    sizes = {**config, "depths": tuple(config["depths"]), "heads": tuple(config["heads"])}
    return {"name": nearest(("upernet_swin_",), sizes), **config}, ours
