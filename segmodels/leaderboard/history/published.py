"""`leaderboard.json` as a program reads it: the model behind docs/leaderboard.schema.json."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segmodels.errors import SegmodelsError
from segmodels.verdicts.row_subject import RowKind
from segmodels.verdicts.verdict import Status

_NUMBER_AS_PRINTED = "the printed number, in `unit`"


class PublishedRow(BaseModel):
    """A row in short. What is unknown or empty is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    page: str = Field(description="name of the row; its files in claims/ have it")
    claim: str = Field("", description="id of the claim or statement")
    kind: RowKind = Field(description="relative is a statement that compares networks")
    paper: str = Field("", description="key of the paper")
    title: str = Field("", description="title of the paper")
    arxiv: str = Field("", description="its arXiv number")
    claimant: str = Field("", description="who prints the number")
    model: str = Field(description="network; of a statement its text")
    dataset: str = Field("", description="name in params/datasets.yaml")
    split: str = Field("", description="split of the dataset")
    metric: str = Field(description="mIoU, params_M, GFLOPs, statement, …")
    corruption: str = Field("", description="what disturbs the images or parameters")
    unit: str = Field("", description="unit of every number of the row")
    claimed: float | None = Field(None, description=_NUMBER_AS_PRINTED)
    decimals: int | None = Field(None, description="digits after the point that are printed")
    verified: float | None = Field(None, description="what was measured or counted here")
    gap: float | None = Field(None, description="verified minus claimed")
    interval_low: float | None = Field(None, description="lower bound of the interval")
    interval_high: float | None = Field(None, description="its upper bound")
    tolerance: float | None = Field(None, description="largest |gap| that is verified")
    verdict: Status = Field(description="see docs/verdicts.md")
    level: str = Field("", description="whose weights, and whose run")
    obstacle: str = Field("", description="kind of the first reason of a blocked row")
    reason: str = Field("", description="a few sentences about the verdict")
    disputed: str = Field("", description="disputed, or disputed, answered")
    protocol: str = Field("", description="how it is measured or counted")
    protocol_version: int | None = Field(None, description="version of that entry")
    images: int | None = Field(None, description="how many were evaluated")
    expected_images: int | None = Field(None, description="how many the split has")
    evidence: str = Field("", description="key of the evidence, 16 hex digits")
    evidence_file: str = Field("", description="its file, seen from the folder of the board")
    weights: str = Field("", description="sha256 of the weights")
    pinned: str = Field("", description="what fixes the bytes of released weights")
    fingerprint: str = Field("", description="sha256 over decoded images and labels")
    evaluator: int | None = Field(None, description="version of the code that counted")
    counted_by: str = Field("", description="who counted, if not this project")
    run: str = Field("", description="name in params/runs")
    source: str = Field("", description="where the number is printed")
    url: str = Field("", description="web address of the paper")


class PublishedBoard(BaseModel):
    """A whole board."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    version: Literal[3] = Field(alias="schema", description="raised when a field changes meaning")
    generated_by: str = Field(description="name and version of the program")
    evaluator: int = Field(description="version of the counting code")
    settings: dict[str, Any] = Field(description="params/verdict.yaml")
    headline: str = Field(description="how many scores and costs are verified")
    verdicts: dict[str, dict[Status, int]] = Field(description="rows by group and verdict")
    rows: tuple[PublishedRow, ...]


def read_board(text: str, name: str) -> PublishedBoard:
    """A board from its JSON.

    Args:
        text: what `leaderboard.json` holds.
        name: where it comes from, for messages.

    Raises:
        SegmodelsError: it is none, or of another schema.
    """
    try:
        return PublishedBoard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise SegmodelsError(
            f"{name}: no leaderboard.json that this version reads; {where}: {first['msg']}."
        ) from None
