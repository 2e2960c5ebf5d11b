"""What a training begins with: rates of the recipe, initial weights, groups of parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from segmodels.checkpoints import save_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.drop_path import DropPath
from segmodels.training import provenance
from segmodels.training.job import Job
from segmodels.training.network import first_network
from segmodels.training.optimizer import FACTOR, build_optimizer, set_learning_rates, treatments
from segmodels.training.parameter_rule import ParameterRule
from segmodels.training.recipe import Recipe

NANO = "segmenter_vit_nano_patch8_mask"


class Images:
    """Two images of three classes, as far as a network is concerned."""

    class_names = ("one", "two", "three")
    name = "images"

    def __init__(self, number: int = 2) -> None:
        self.number = number

    def __len__(self) -> int:
        return self.number


def recipe(**fields: Any) -> Recipe:
    given = {"name": "r", "title": "t", "steps": 4, "batch": 2, "crop": (32, 32), "lr": 0.1}
    return Recipe(**{**given, **fields})


def job(model: str = NANO, overrides: dict[str, Any] | None = None, **fields: Any) -> Job:
    initial, images = fields.pop("path", None), Images(fields.pop("images", 2))
    return Job(
        run="mine",
        model=model,
        recipe=recipe(**fields),
        seed=0,
        train=images,  # type: ignore[arg-type]
        val=images,  # type: ignore[arg-type]
        fingerprint="",
        pixels={},
        overrides=overrides or {},
        initial=initial,
    )


# --- rates -----------------------------------------------------------------------------


def drop_paths(model: torch.nn.Module) -> list[float]:
    return [module.rate for module in model.modules() if isinstance(module, DropPath)]


def test_the_rates_of_a_recipe_reach_encoder_and_decoder() -> None:
    rates = {"drop_path": 0.3, "dropout": 0.2, "decoder_drop_path": 0.4, "decoder_dropout": 0.1}
    model: Any = first_network(job(**rates))
    assert drop_paths(model.encoder) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert drop_paths(model.decoder) == pytest.approx([0, 0.4])
    assert model.encoder.blocks[0].mlp.dropout == 0.2
    assert model.decoder.blocks[0].mlp.dropout == 0.1


@pytest.mark.parametrize(
    ("model", "field"),
    [("fcn_mobilenetv2", "decoder_dropout"), ("segformer_nano", "decoder_dropout")],
)
def test_dropout_before_the_classifier_is_the_decoders(model: str, field: str) -> None:
    network: Any = first_network(job(model, **{field: 0.35}))
    head = network.decode_head
    assert head.dropout.p == 0.35


def test_without_rates_a_network_has_its_own() -> None:
    own = create_model(NANO, 3, 32, drop_path=0.25)
    assert drop_paths(first_network(job(overrides={"drop_path": 0.25}))) == drop_paths(own)


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        ("unet", {"drop_path": 0.1}, r"recipe 'r': field 'drop_path' .* 'unet' .* no such rates"),
        (
            "fcn_mobilenetv2",
            {"dropout": 0.0},
            r"field 'dropout' is nothing that 'fcn_mobilenetv2' has; it has decoder_dropout",
        ),
        (
            "depict_sa_vit_nano_patch8",
            {"decoder_drop_path": 0.1},
            r"it has drop_path, dropout, decoder_dropout",
        ),
    ],
)
def test_a_rate_that_a_network_lacks(model: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SegmodelsError, match=message):
        first_network(job(model, **fields))


def test_a_rate_that_the_run_sets_too() -> None:
    message = "run 'mine': 'overrides' sets 'drop_path', and so does 'drop_path' of recipe 'r'"
    with pytest.raises(SegmodelsError, match=message):
        first_network(job(overrides={"drop_path": 0.1}, drop_path=0.1))


def test_checkpointing_of_blocks() -> None:
    model: Any = first_network(job(grad_checkpointing=True))
    assert model.encoder.grad_checkpointing
    message = r"recipe 'r': field 'grad_checkpointing': UNet has no blocks to checkpoint. Remove it"
    with pytest.raises(SegmodelsError, match=message):
        first_network(job("unet", grad_checkpointing=True))


@pytest.mark.parametrize(
    ("fields", "which"),
    [
        ({"batch": 1}, r"a 'batch' of 1: In training this network needs batches of 2"),
        (
            {"steps": None, "epochs": 3, "batch": 3, "images": 7},
            r"a 'batch' of 3, the last of each epoch with 1 of 7 images: In training this",
        ),
    ],
)
def test_one_image_for_a_batch_norm_is_told_before_the_first_step(
    fields: dict[str, Any], which: str
) -> None:
    asked = job("pspnet_mobilenetv2", {"channels": 8}, **fields)
    with pytest.raises(SegmodelsError, match=rf"recipe 'r', 'crop' 32x32 and {which}"):
        first_network(asked)


def test_one_image_is_enough_where_batch_norms_see_several_places() -> None:
    asked = job("unet", {"width": 4}, batch=1)
    torch.manual_seed(asked.seed)
    drawn = create_model("unet", num_classes=3, width=4).state_dict()
    model = first_network(asked)
    assert all(torch.equal(one, drawn[name]) for name, one in model.state_dict().items())
    assert first_network(job("pspnet_mobilenetv2", {"channels": 8}, batch=2))
    epochs = {"steps": None, "epochs": 3, "batch": 3, "images": 8}
    assert first_network(job("pspnet_mobilenetv2", {"channels": 8}, **epochs))


def test_a_crop_that_is_too_small_names_the_recipe() -> None:
    message = r"recipe 'r', 'crop' 1x1 and a 'batch' of 2: SegFormer needs images of at least 13"
    with pytest.raises(SegmodelsError, match=message):
        first_network(job("segformer_nano", crop=(1, 1)))


def test_what_a_network_is_not_names_run_and_recipe() -> None:
    message = r"run 'mine', recipe 'r': The argument 'backbone' must be 'resnet50c' or .* 'resnet51"
    with pytest.raises(SegmodelsError, match=message):
        first_network(job("fcn_resnet50", {"backbone": "resnet51c"}))


def test_detached_auxiliary_heads_move_themselves_alone() -> None:
    gradients = {}
    for detached in (False, True):
        asked = job("fcn_mobilenetv2", {"channels": 8}, auxiliary_detached=detached)
        model = first_network(asked).eval()  # without draws
        torch.manual_seed(1)
        _, (auxiliary, _) = model.forward_supervised(torch.randn(2, 3, 32, 32))
        auxiliary.square().sum().backward()
        gradients[detached] = {name: one.grad for name, one in model.named_parameters()}
    moved = {name for name, one in gradients[True].items() if one is not None}
    assert moved == {name for name in gradients[True] if name.startswith("auxiliary_head.")}
    assert any(one is not None for name, one in gradients[False].items() if "backbone" in name)
    assert all(torch.equal(gradients[True][name], gradients[False][name]) for name in moved)
    for name, overrides in (("unet", {}), ("fcn_mobilenetv2", {"auxiliary": False})):
        with pytest.raises(SegmodelsError, match=r"'auxiliary_detached' is about .* Remove it"):
            first_network(job(name, overrides, auxiliary_detached=True))
        with pytest.raises(SegmodelsError, match=r"'auxiliary_weight' is of .* has none. Remove"):
            first_network(job(name, overrides, auxiliary_weight=0.4))


def test_batch_norms_are_not_shown_parts_of_a_batch() -> None:
    assert first_network(job(accumulate=2))
    message = "recipe 'r': field 'accumulate' would show the batch norms of 'segformer_nano' parts"
    with pytest.raises(SegmodelsError, match=message):
        first_network(job("segformer_nano", accumulate=2))


# --- initial weights -------------------------------------------------------------------


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """A tiny ViT for images of 64 pixels, as timm would name its tensors."""
    sizes = {"width": 192, "layers": 4, "heads": 3, "image_size": 64}
    model = create_model("vit_tiny_patch16", 7, **sizes)
    tensors = {k.removeprefix("encoder."): v for k, v in model.state_dict().items()}
    torch.save(tensors, tmp_path / "vit.pth")
    return tmp_path / "vit.pth"


SMALL = {"layers": 4}
TINY = "segmenter_vit_tiny_patch16_mask"


def test_the_encoder_begins_with_the_weights_that_the_recipe_names(imagenet: Path) -> None:
    begun = first_network(job(TINY, SMALL, initial="vit", path=imagenet)).state_dict()
    drawn = first_network(job(TINY, SMALL)).state_dict()
    file = torch.load(imagenet, weights_only=True)
    assert torch.equal(begun["encoder.blocks.3.attn.qkv.weight"], file["blocks.3.attn.qkv.weight"])
    assert begun["encoder.pos_embed"].shape == (1, 5, 192)  # of the crop, not of the file
    for name, tensor in drawn.items():
        if name.startswith("decoder."):
            assert torch.equal(begun[name], tensor), name


def test_initial_weights_that_are_not_here() -> None:
    with pytest.raises(SegmodelsError, match=r"'vit' that its recipe begins with are not here"):
        first_network(job(TINY, SMALL, initial="vit"))


def test_initial_weights_of_another_network(imagenet: Path) -> None:
    with pytest.raises(SegmodelsError, match=r"vit.pth.*does not fit"):
        first_network(job(TINY, {"layers": 3}, initial="vit", path=imagenet))
    with pytest.raises(SegmodelsError, match="holds a ViT, the model's encoder is a MiT"):
        first_network(job("segformer_nano", initial="vit", path=imagenet))


def test_their_identity_decides_and_their_name_does_not() -> None:
    def made(name: str | None, identity: str | None) -> dict[str, Any]:
        given = recipe(initial=name)
        return provenance.training("m", {}, given, 0, "d", "f", identity)

    assert "initial" not in made(None, None)
    assert provenance.first_change(made("a", "1"), made("a", "1")) == ""
    assert provenance.first_change(made("a", "1"), made("b", "1")) == ""
    assert provenance.first_change(made("a", "1"), made("a", "2")) == "initial was 1, now it is 2"
    assert provenance.first_change(made("a", "1"), made("a", None)) == ""  # nobody knows it yet
    assert "recipe.initial was a" in provenance.first_change(made("a", "1"), made("b", None))
    assert "recipe.initial was None" in provenance.first_change(made(None, None), made("a", "1"))
    assert "recipe.initial was a" in provenance.first_change(made("a", "1"), made(None, None))


def test_a_training_of_before_has_the_defaults_of_newer_fields() -> None:
    now = provenance.training("m", {}, recipe(), 0, "d", "f")
    newer = ("groups", "schedule", "min_lr", "nesterov", "loss_mean", "initial", "epochs", "fused")
    before = {**now, "recipe": {k: v for k, v in now["recipe"].items() if k not in newer}}
    assert provenance.first_change(before, now) == ""
    assert provenance.training_digest(before) == provenance.training_digest(now)


# --- groups of parameters --------------------------------------------------------------


def test_the_first_rule_that_fits_counts() -> None:
    rules = (
        ParameterRule(contains="head", lr=10),
        ParameterRule(contains="norm", weight_decay=0),
        ParameterRule(kind="bias", weight_decay=0.5),
        ParameterRule(contains="mlp", kind="vector", lr=3),
    )
    model = create_model("segformer_nano", 3)
    found = dict(treatments(model, recipe(groups=rules, weight_decay=0.2)))
    assert found["decode_head.linear_fuse.bn.bias"] == (10, 0.2)
    assert found["backbone.block1.0.norm1.bias"] == (1, 0)
    assert found["backbone.block1.0.attn.q.bias"] == (1, 0.5)
    assert found["backbone.block1.0.attn.q.weight"] == (1, 0.2)
    assert found["backbone.block1.0.mlp.fc1.bias"] == (1, 0.5)  # the rule before fits as well
    assert set(found) == {name for name, _ in model.named_parameters()}


def test_no_rules_make_one_group() -> None:
    model = create_model(NANO, 3)
    (group,) = build_optimizer(model, recipe(groups=(), optimizer="sgd")).param_groups
    assert len(group["params"]) == len(list(model.parameters()))
    assert (group["momentum"], group["nesterov"], group["dampening"]) == (0.9, True, 0)


def test_frozen_parameters_are_in_no_group() -> None:
    model = create_model("segmenter_vit_tiny_patch16_mask", 3, layers=1)
    frozen = [name for name, one in model.named_parameters() if not one.requires_grad]
    assert frozen == ["encoder.head.weight", "encoder.head.bias"]
    names = [name for name, _ in treatments(model, recipe())]
    assert not set(frozen) & set(names)


def test_every_group_has_its_learning_rate_and_the_same_end() -> None:
    given = job(
        "segformer_nano",
        groups=[ParameterRule(contains="head", lr=10)],
        min_lr=0.01,
        schedule="mmengine",
    )
    optimizer = build_optimizer(first_network(given), given.recipe)
    set_learning_rates(optimizer, given.schedule, 0)
    assert {group[FACTOR]: group["lr"] for group in optimizer.param_groups} == {1: 0.1, 10: 1.0}
    set_learning_rates(optimizer, given.schedule, 3)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.01]


def test_the_arguments_of_the_optimisers() -> None:
    model = create_model(NANO, 3)
    sgd = recipe(optimizer="sgd", momentum=0.5, nesterov=False)
    assert build_optimizer(model, sgd).defaults["momentum"] == 0.5
    assert build_optimizer(model, sgd).defaults["nesterov"] is False
    adamw = build_optimizer(model, recipe(betas=(0.8, 0.99), eps=1e-3, fused=False)).defaults
    assert (adamw["betas"], adamw["eps"], adamw["fused"]) == ((0.8, 0.99), 1e-3, False)


def test_saved_weights_are_no_other_for_the_rates(tmp_path: Path) -> None:
    """Rates are arguments of the network, so a checkpoint says them."""
    model = first_network(job(drop_path=0.2))
    save_checkpoint(model, tmp_path)
    assert model.config["drop_path"] == 0.2
