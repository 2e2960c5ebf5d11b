"""What SegFormer's ``config.json`` says about the network; every field is used or accounted for.

A field that changes numbers and that the networks here do not have is refused, as is one that is
not known. ``layer_norm_eps`` is a case of its own: `transformers` writes it, and its SegFormer
computes with 1e-5 whatever it says (``load_checkpoint(…, layer_norm_eps=…)`` chooses).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodels.checkpoints.strict import some
from segmodels.errors import SegmodelsError, nearest, shown

#: Their fields of one number for each stage, and ours.
SIZES = {
    "hidden_sizes": "widths",
    "depths": "depths",
    "num_attention_heads": "heads",
    "sr_ratios": "reductions",
}
STAGES = 4

#: Fields that must say what the networks here do; more than one word may say it.
FIXED: dict[str, tuple[Any, ...]] = {
    "num_channels": (3,),
    "num_encoder_blocks": (STAGES,),
    "patch_sizes": ([7, 3, 3, 3],),
    "strides": ([4, 2, 2, 2],),
    "downsampling_rates": ([1, 4, 8, 16],),
    "hidden_act": ("gelu", "gelu_python"),
    "reshape_last_stage": (True,),
    "quantization_config": (None,),
    "auto_map": (None,),
    "pruned_heads": ({}, None),
    "layer_norm_eps": (1e-6, 1e-5),
}

ARCHITECTURES = (
    "SegformerForSemanticSegmentation",
    "SegformerForImageClassification",
    "SegformerModel",
)

#: Read elsewhere, of the training alone, or about the use of any network of `transformers`.
OTHERS = frozenset(
    """
    model_type architectures id2label label2id num_labels mlp_ratios decoder_hidden_size
    hidden_dropout_prob attention_probs_dropout_prob classifier_dropout_prob drop_path_rate
    initializer_range semantic_loss_ignore_index image_size ignore_mismatched_sizes
    _name_or_path name_or_path _commit_hash transformers_version torch_dtype dtype
    _attn_implementation attn_implementation _attn_implementation_autoset
    return_dict output_hidden_states output_attentions torchscript use_bfloat16 tf_legacy_loss
    tie_word_embeddings chunk_size_feed_forward is_encoder_decoder is_decoder
    cross_attention_hidden_size add_cross_attention tie_encoder_decoder finetuning_task problem_type
    task_specific_params
    tokenizer_class prefix bos_token_id pad_token_id eos_token_id sep_token_id
    decoder_start_token_id max_length min_length do_sample early_stopping num_beams num_beam_groups
    diversity_penalty
    temperature top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size
    encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores
    return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values
    exponential_decay_length_penalty suppress_tokens begin_suppress_tokens transformers.js_config
    gradient_checkpointing use_cache
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Described:
    """A ``config.json`` of SegFormer.

    Raises:
        SegmodelsError: a field says what is not computed here, or is not known; it is named.
    """

    path: Path
    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if name in FIXED and not any(_equal(value, known) for known in FIXED[name]):
                self._refuse(name, value, " or ".join(map(repr, FIXED[name])))
        known = [*FIXED, *OTHERS, *SIZES]
        unknown = sorted(self.values.keys() - set(known))
        if unknown:
            raise SegmodelsError(
                f"{self.path}: the field {shown(unknown[0])} is not known here, and might change "
                f"what the network computes.{nearest(unknown[0], known)} Remove it if it does not."
            )
        names = self.values.get("architectures") or []
        if not isinstance(names, list) or not set(map(str, names)) <= set(ARCHITECTURES):
            self._refuse("architectures", names, f"of {some(ARCHITECTURES)}")

    def _refuse(self, name: str, found: Any, expected: str) -> None:
        raise SegmodelsError(
            f"{self.path}: the field {name!r} is {shown(found)}; the network of that kind "
            f"here has {expected}."
        )

    def sizes(self) -> dict[str, list[int]]:
        """One number for each stage, under our names, as far as they are given.

        Raises:
            SegmodelsError: a field is no list of 4 positive whole numbers.
        """
        return {
            ours: self._numbers(theirs) for theirs, ours in SIZES.items() if theirs in self.values
        }

    def _numbers(self, name: str) -> list[int]:
        values = self.values[name]
        whole = isinstance(values, list) and all(
            type(value) is int and value > 0 for value in values
        )
        if not whole or len(values) != STAGES:
            self._refuse(name, values, "4 positive whole numbers there")
        return list(values)

    def decoder_width(self) -> int:
        """Channels of the decoder.

        Raises:
            SegmodelsError: it is missing, or no number.
        """
        for name in (*SIZES, "decoder_hidden_size"):
            if name not in self.values:
                raise SegmodelsError(f"{self.path} lacks the field {name!r}.")
        width = self.values["decoder_hidden_size"]
        if type(width) is not int or width < 1:
            self._refuse("decoder_hidden_size", width, "a positive whole number there")
        return int(width)

    def check_expansion(self, expansion: int) -> None:
        """Compare ``mlp_ratios`` with what the tensors show."""
        stated = self.values.get("mlp_ratios")
        if stated is not None and stated != [expansion] * STAGES:
            self._refuse("mlp_ratios", stated, f"{[expansion] * STAGES}, as the tensors beside it")

    def check_eps(self, chosen: str) -> None:
        """Refuse ``layer_norm_eps="original"`` where the file says that it is no original."""
        if chosen == "original" and self.values.get("layer_norm_eps") == 1e-5:
            self._refuse("layer_norm_eps", 1e-5, "1e-06 with layer_norm_eps='original'")

    def classes(self, num_classes: int) -> tuple[str, ...] | None:
        """Class names in the order of the logits; None if the file has none.

        Raises:
            SegmodelsError: there is not one for each logit.
        """
        number, labels = self.values.get("num_labels"), self.values.get("id2label")
        if number is not None and number != num_classes:
            self._refuse("num_labels", number, f"{num_classes} classes in its tensors")
        if labels is None:
            return None
        wanted = [str(index) for index in range(num_classes)]
        if not isinstance(labels, Mapping) or set(labels) != set(wanted):
            found = f"{len(labels)} names" if isinstance(labels, Mapping) else labels
            self._refuse("id2label", found, f"{num_classes} classes, numbered from 0")
        return tuple(str(labels[index]) for index in wanted)


def _equal(value: Any, known: Any) -> bool:
    """Equal as JSON writes it: 1 is not true, 3.0 is 3."""
    return isinstance(value, bool) == isinstance(known, bool) and bool(value == known)
