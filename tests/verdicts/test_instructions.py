"""What a person is told to do."""

from __future__ import annotations

from segmodels.claims import load_claim, load_claims
from segmodels.cli import main
from segmodels.robustness.corruptions import CORRUPTIONS
from segmodels.verdicts.instructions import instructions


def test_a_corruption_that_is_no_function_here_says_so(monkeypatch):
    monkeypatch.delitem(CORRUPTIONS, "fog")
    told = "not implemented: The corruption 'fog' is not implemented here."
    assert told in instructions(load_claim("segformer_b5_cityscapes_c_fog"))
    assert told not in instructions(load_claim("segformer_b5_cityscapes_c_contrast"))


def test_what_is_gated_says_where_to_register_and_where_to_put_it():
    text = "\n".join(instructions(load_claim("segformer_b0_cityscapes_1024_ss")))
    for words in ("gated data", "https://www.cityscapes-dataset.com/register", "licence"):
        assert words in text


def test_weights_in_a_drive_say_what_to_do_with_them():
    text = "\n".join(instructions(load_claim("depict_sa_l_ade20k_ss")))
    for words in ("drive.google.com", "segmodels weights add depict-sa-vit-large-ade20k FILE"):
        assert words in text


def test_nothing_is_missing_for_what_can_be_had():
    assert instructions(load_claim("espnet_p2_q8_camvid")) == []


def test_every_claim_can_be_done_or_says_what_it_lacks():
    for claim in load_claims().values():
        for line in instructions(claim):
            assert line.strip()


def test_the_command_tells_it(capsys):
    assert main(["verify", "depict_sa_l_cityscapes_ss"]) == 0
    out = capsys.readouterr().out
    assert "blocked" in out
    assert "registration: https://www.cityscapes-dataset.com/register" in out
