from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from segmodels.analysis.embeddings import Embeddings, embeddings
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.segmenter import unit

CLASSES = 5
NETWORKS = {
    "segmenter": ("segmenter_vit_nano_patch8_mask", {"layers": 1, "decoder_layers": 2}),
    "depict-sa": ("depict_sa_vit_nano_patch8", {"layers": 1, "decoder_layers": 2}),
    "depict-ca": (
        "depict_sa_vit_nano_patch8",
        {"layers": 1, "attention": "ca", "decoder_layers": 1, "cross_layers": 2},
    ),
    "cbt": (
        "cbt_vit_tiny_patch16",
        {
            **{"patch_size": 8, "width": 48, "heads": 3, "layers": 1},
            **{"decoder_layers": 2, "representatives": 3},
        },
    ),
}
PLACES = {
    "segmenter": ["before", "layer 1", "layer 2", "compared"],
    "depict-sa": ["before", "layer 1", "layer 2", "compared"],
    "depict-ca": ["before", "patches 1", "classes 1", "classes 2", "compared"],
    "cbt": ["before", "layer 1", "layer 2", "compared"],
}


def model_of(name):
    torch.manual_seed(0)
    return create_model(NETWORKS[name][0], CLASSES, **NETWORKS[name][1]).eval()


def tensor(matrix):
    return torch.from_numpy(matrix)[None]


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_compared_gives_the_prediction(name):
    """The embeddings at the end are those that the network's own scores come from."""
    model, pixels = model_of(name), torch.randn(1, 3, 40, 56)
    found = embeddings(model, pixels)
    assert [one.place for one in found] == PLACES[name]
    assert all(one.classes.shape == (CLASSES, one.patches.shape[1]) for one in found)
    assert all(len(one.patches) == 5 * 7 for one in found)
    scores = unit(tensor(found[-1].patches)) @ unit(tensor(found[-1].classes)).transpose(1, 2)
    with torch.no_grad():
        logits = model.forward_lowres(pixels)
        normed = model.decoder.mask_norm(scores.float())
    torch.testing.assert_close(normed[0].T.reshape(CLASSES, 5, 7), logits[0], atol=1e-4, rtol=0)
    np.testing.assert_allclose(
        found[0].classes, model.decoder.cls_emb[0].detach().numpy(), rtol=1e-6
    )


def test_layers_are_seen_one_after_the_other():
    model, pixels = model_of("depict-ca"), torch.randn(1, 3, 40, 56)
    found = {one.place: one for one in embeddings(model, pixels)}
    layer = model.decoder.cnet.layers[1]
    with torch.no_grad():
        after = layer.cross(
            tensor(found["classes 1"].classes).float(), tensor(found["classes 1"].patches).float()
        )
    np.testing.assert_allclose(found["classes 2"].classes, after[0].numpy(), atol=1e-5)
    np.testing.assert_array_equal(found["patches 1"].classes, found["before"].classes)


def test_layers_of_cbt_are_those_of_its_decoder():
    model, pixels = model_of("cbt"), torch.randn(1, 3, 40, 56)
    found = {one.place: one for one in embeddings(model, pixels)}
    with torch.no_grad():
        before = tensor(np.concatenate([found["layer 1"].patches, found["layer 1"].classes]))
        after = model.decoder.net.layers[1](before.float(), (5, 7))[0].numpy()
    np.testing.assert_allclose(found["layer 2"].patches, after[:35], atol=1e-5)
    np.testing.assert_allclose(found["layer 2"].classes, after[35:], atol=1e-5)


def by_hand(classes, patches=((1.0, 0.0, 0.0), (-1.0, 0.0, 0.0))):
    return Embeddings("here", np.array(classes, float), np.array(patches, float))


def test_coherence():
    orthogonal = by_hand([(1, 0, 0), (0, 2, 0)])
    assert orthogonal.coherence == 0
    slanted = by_hand([(1, 0, 0), (-1, 1, 0), (0, 0, 1)])
    assert slanted.coherence == pytest.approx(math.sqrt(0.5))
    assert slanted.mean_cosine == pytest.approx(math.sqrt(0.5) / 3)
    assert by_hand([(1, 2, 3)]).coherence == 0


def test_ranks():
    assert by_hand([(1, 0, 0), (0, 1, 0), (1, 1, 0)]).rank == 2
    equal = by_hand([(1, 0, 0), (0, 1, 0), (0, 0, 1)])
    assert equal.effective_rank == pytest.approx(3)
    shares = (0.8, 0.2)
    entropy = -sum(share * math.log(share) for share in shares)
    assert by_hand([(8, 0, 0), (0, 2, 0)]).effective_rank == pytest.approx(math.exp(entropy))


def test_variance_inside_the_subspace():
    patches = [(3, 0, 4), (-3, 0, -4), (0, 0, 0)]
    assert by_hand([(1, 0, 0)], patches).variance_inside == pytest.approx(9 / 25)
    assert by_hand([(1, 0, 0), (0, 0, 1)], patches).variance_inside == pytest.approx(1)
    assert by_hand([(0, 1, 0)], patches).variance_inside == pytest.approx(0)
    moved = [(x + 7, y - 2, z + 1) for x, y, z in patches]
    assert by_hand([(1, 0, 0)], moved).variance_inside == pytest.approx(9 / 25)
    assert by_hand([(1, 0, 0), (2, 0, 0)]).by_chance == pytest.approx(1 / 3)


def test_embeddings_that_are_all_zero():
    zero = by_hand([(0, 0, 0), (0, 0, 0)])
    assert (zero.rank, zero.effective_rank, zero.variance_inside, zero.coherence) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_patch_has_no_variance(name):
    model = model_of(name)
    with pytest.raises(SegmodelsError, match=r"small\.png: .* as one patch.*Name a larger image"):
        embeddings(model, torch.randn(1, 3, 8, 8), "small.png")
    shares = [one.variance_inside for one in embeddings(model, torch.randn(1, 3, 8, 9))]
    assert all(0 <= share <= 1 + 1e-9 for share in shares)


def test_patches_that_are_all_the_same_have_no_variance():
    model = model_of("depict-sa")
    with torch.no_grad():
        model.decoder.decoder_norm.weight.zero_()
        model.decoder.decoder_norm.bias.fill_(0.3)
    with pytest.raises(SegmodelsError, match=r"the image: its 35 patches.*same \(compared\)"):
        embeddings(model, torch.randn(1, 3, 40, 56))


@pytest.mark.parametrize("name", ["segformer_nano", "segmenter_vit_tiny_patch16_linear"])
def test_networks_without_class_embeddings_are_refused(name):
    model = create_model(name, CLASSES)
    with pytest.raises(SegmodelsError, match=f"'{name}' has no class embeddings.*DEPICT-CA, CBT"):
        embeddings(model, torch.zeros(1, 3, 32, 32))
