"""Batch norms whose statistics are those of groups of images."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from counted_networks import NETWORKS
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segmodels.errors import SegmodelsError
from segmodels.models import class_of, create_model
from segmodels.training.batch_norms import group_batch_norms
from segmodels.training.processes import synchronised

_WITHOUT = ("segmenter", "depict", "cbt", "fcn8s", "dilatednet")
_WITH_BATCH_NORMS = [one for one in NETWORKS if not one.startswith(_WITHOUT)]


def norm() -> nn.BatchNorm2d:
    torch.manual_seed(0)
    made = nn.BatchNorm2d(3, momentum=0.3).double()
    nn.init.normal_(made.weight)
    nn.init.normal_(made.bias)
    return made


def grouped(images: int) -> nn.Module:
    made = nn.Sequential(norm())
    group_batch_norms(made, images)
    return made


@given(images=st.integers(1, 4), groups=st.integers(1, 4))
def test_every_group_is_normalised_by_itself(images: int, groups: int) -> None:
    batch = torch.randn(images * groups, 3, 5, 4, dtype=torch.float64)
    weight = torch.randn_like(batch)
    of_groups = [deepcopy(norm()) for _ in range(groups)]
    together = grouped(images)
    (together(batch) * weight).sum().backward()
    for k, alone in enumerate(of_groups):
        one = alone(batch[k::groups])
        torch.testing.assert_close(together(batch)[k::groups], one, rtol=0, atol=1e-12)
        (one * weight[k::groups]).sum().backward()
    expected = torch.stack([one.weight.grad for one in of_groups if one.weight.grad is not None])
    torch.testing.assert_close(together[0].weight.grad, expected.sum(0))  # type: ignore[index]


def test_running_statistics_are_those_of_the_first_group() -> None:
    batch = torch.randn(6, 3, 5, 4, dtype=torch.float64)
    together, first = grouped(2), norm()
    together(batch)
    first(batch[0::3])
    for name, value in first.state_dict().items():
        assert torch.equal(together.state_dict()[f"0.{name}"], value)


def test_one_group_is_the_plain_one_and_so_is_prediction() -> None:
    batch = torch.randn(4, 3, 5, 4, dtype=torch.float64)
    together, plain = grouped(4), norm()
    assert torch.equal(together(batch), plain(batch))
    assert torch.equal(grouped(1).eval()(batch), norm().eval()(batch))


def test_what_has_none_or_others_is_refused_by_name() -> None:
    with pytest.raises(SegmodelsError, match="no batch norms"):
        group_batch_norms(nn.Sequential(nn.LayerNorm(3)), 2)
    norms = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3, track_running_stats=False))
    with pytest.raises(SegmodelsError, match="its '1' keeps no running statistics"):
        group_batch_norms(norms, 2)


@pytest.mark.parametrize("family", _WITH_BATCH_NORMS)
def test_networks_of_the_library(family: str) -> None:
    """The same tensors; a batch in two groups is what each of them is."""
    name, small = NETWORKS[family]
    torch.manual_seed(0)
    undropped = dict.fromkeys(class_of(name).Config.RATES.values(), 0.0)
    # In double precision: batch norms over maps of a few pixels enlarge what float32 rounds.
    plain = create_model(name, num_classes=5, **{**small, **undropped}).double()
    for module in plain.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0  # no argument of the network
    together = deepcopy(plain)
    group_batch_norms(together, 2)
    assert list(together.state_dict()) == list(plain.state_dict())
    images = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        both = together.train().forward_supervised(images)
        for k in range(2):
            alone = deepcopy(plain).train().forward_supervised(images[k::2])
            for (logits, _), (own, _) in zip(both, alone, strict=True):
                torch.testing.assert_close(logits[k::2], own, rtol=1e-3, atol=1e-4)


def test_synchronised_ones_keep_the_activation_inside() -> None:
    """timm's batch norms hold an activation, which PyTorch's own conversion would drop."""
    name, small = NETWORKS["fcn"]
    model = create_model(name, num_classes=5, **small).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = model(images)
        synchronised(model)
        assert torch.equal(model(images), before)
    kinds = {type(one).__name__ for one in model.modules() if "Norm" in type(one).__name__}
    assert kinds == {"SyncBatchNorm", "SyncBatchNormAct"}
