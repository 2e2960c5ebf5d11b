"""Verified rows as the `model-index` block of a Hugging Face model card."""

from __future__ import annotations

from typing import Any

import yaml

from segmodels.errors import SegmodelsError
from segmodels.verdicts.row import Row

_HEAD = """\
# Results that segmodels counted again; args name weights, images, protocol and evidence.
# The Hub shows its own badge only beside results that carry a verifyToken of its own.
"""


def render_model_index(rows: list[Row], source_url: str = "") -> str:
    """YAML for the head of a model card: one model per weights, one result per row.

    Args:
        rows: only verified mIoU of released weights that were counted here stands in it, and
            nothing that is disputed: a model card has no place for levels and objections.
        source_url: web address where the evidence can be seen; without it results name no
            source, because the Hub wants an address with it.

    Raises:
        SegmodelsError: no row is verified.
    """
    models: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if _is_verified(row):
            models.setdefault(_model(row), []).append(_result(row, source_url))
    if not models:
        raise SegmodelsError(
            "model-index: no row asked for is verified mIoU of released weights, counted here."
        )
    index = [{"name": name, "results": results} for name, results in models.items()]
    text = yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True, width=100)
    return _HEAD + text


def _is_verified(row: Row) -> bool:
    counted = (
        row.evidence_key
        and row.subject.metric == "mIoU"
        and row.verdict.level == "released weights"
    )
    return bool(counted) and row.verdict.status == "verified" and not row.subject.disputed


def _model(row: Row) -> str:
    return str(row.weights.origin.get("released") or row.subject.model)


def _result(row: Row, source_url: str) -> dict[str, Any]:
    metric = {
        "type": "mean_iou",
        "name": "mIoU, %",
        "value": row.verdict.verified,
        "args": {
            "protocol": row.protocol_name,
            "evidence": row.evidence_key,
            "weights_sha256": row.weights.sha256,
            "dataset_fingerprint": row.evidence.fingerprint if row.evidence else None,
            "claim": row.subject.id,
            "claimed": row.subject.claimed,
        },
        "verified": True,
    }
    result: dict[str, Any] = {
        "task": {"type": "image-segmentation", "name": "Semantic segmentation"},
        "dataset": {
            "type": row.subject.dataset,
            "name": row.subject.dataset,
            "split": row.subject.split,
        },
        "metrics": [metric],
    }
    if source_url:
        result["source"] = {"name": f"segmodels, evidence {row.evidence_key}", "url": source_url}
    return result
