"""`segmodels schema`: JSON schemas of the files in `params/`, from which editors complete them."""

from __future__ import annotations

import argparse
from typing import Annotated, Any

from segmodels.cli.common import Add, relative

Schema = dict[str, Any]


def add(commands: Add) -> None:
    """Add it."""
    commands("schema", _schema, "write the JSON schemas of the files in params/ and of the board")


def _schema(chosen: argparse.Namespace) -> int:
    from segmodels.core.files import write_json
    from segmodels.core.settings import project_root

    del chosen
    for kind, schema in schemas().items():
        path = project_root() / "params" / "schemas" / f"{kind}.json"
        write_json(path, schema)
        print(relative(path))
    path = project_root() / "docs" / "leaderboard.schema.json"
    write_json(path, board_schema())
    print(relative(path))
    return 0


def board_schema() -> Schema:
    """The JSON schema of `reports/leaderboard.json`, for programs that read boards."""
    from segmodels.leaderboard.history.published import PublishedBoard

    made = PublishedBoard.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_tidy(made)}


#: The files of each kind; a schema lies in `params/schemas/<kind>.json`.
FILES = {
    "active": "params/active.yaml",
    "claims": "params/claims/**/*.yaml",
    "datasets": "params/datasets.yaml",
    "efficiency": "params/efficiency.yaml",
    "models": "params/models.yaml",
    "own-datasets": "params/datasets/*.yaml",
    "protocols": "params/protocols.yaml",
    "recipes": "params/recipes/*.yaml",
    "robustness": "params/robustness.yaml",
    "runs": "params/runs/*.yaml",
    "suites": "params/suites/*.yaml",
    "verdict": "params/verdict.yaml",
    "weights": "params/weights.yaml",
    "weights.lock": "params/weights.lock.yaml",
}


def schemas() -> dict[str, Schema]:
    """The JSON schema of each kind of file."""
    from pydantic import TypeAdapter

    made = {kind: TypeAdapter(model).json_schema() for kind, model in _models().items()}
    made |= {"claims": _claims(), "recipes": _recipes()}
    return {kind: {**_tidy(made[kind]), "title": FILES[kind]} for kind in FILES}


def _tidy(schema: Any) -> Any:
    """Without what only some versions of pydantic say, and what means nothing."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {name: _tidy(one) for name, one in schema.items()}
    return {k: v for k, v in tidy.items() if (k, v) != ("additionalProperties", True)}


def _models() -> dict[str, Any]:
    """What files hold: an entry, or entries by name."""
    from pydantic import Field

    from segmodels.assets.entries import DatasetEntry, WeightsEntry
    from segmodels.assets.own_dataset import OwnDataset
    from segmodels.assets.pins import Pin
    from segmodels.efficiency.convention import Convention
    from segmodels.efficiency.latency import LatencyProtocol
    from segmodels.efficiency.model_page import Family
    from segmodels.protocols import Protocol
    from segmodels.robustness.suite import StressSuite
    from segmodels.runs.run import Run
    from segmodels.runs.suite import Active, Suite
    from segmodels.verdicts.rules import Rules

    cost = Annotated[Convention | LatencyProtocol, Field(discriminator="quantity")]
    return {
        "active": Active,
        "datasets": dict[str, DatasetEntry],
        "own-datasets": OwnDataset,
        "efficiency": dict[str, cost],
        "models": dict[str, Family],
        "protocols": dict[str, Protocol],
        "robustness": dict[str, StressSuite],
        "runs": Run,
        "suites": Suite,
        "verdict": Rules,
        "weights": dict[str, WeightsEntry],
        "weights.lock": dict[str, dict[str, Pin]],
    }


def _recipes() -> Schema:
    """A recipe, or what one changes about another that it inherits from."""
    from segmodels.runs.recipe_files import INHERITS
    from segmodels.training.recipe import Recipe

    made = Recipe.model_json_schema()
    about = "name of the recipe that this one is written on top of: what is left out is as there"
    made["properties"][INHERITS] = {"type": "string", "description": about}
    whole = {"required": made.pop("required")}
    return {**made, "anyOf": [{"required": [INHERITS]}, whole]}


def _claims() -> Schema:
    """A file of claims; its head gives them what its `defaults` have, so that a claim needs an id
    and no more.
    """
    from segmodels.claims import Claim, Statement
    from segmodels.claims.reading import Paper

    made = Paper.model_json_schema()
    defined: Schema = {}
    for name, model in (("claims", Claim), ("statements", Statement)):
        entry = model.model_json_schema()
        defined |= {**entry.pop("$defs", {}), model.__name__: entry}
        made["properties"][name]["items"] = {"$ref": f"#/$defs/{model.__name__}"}
    claim = defined["Claim"]
    claim["required"] = ["id"]
    given = {name: field for name, field in claim["properties"].items() if name != "id"}
    made["properties"]["defaults"] |= {"properties": given, "additionalProperties": False}
    return {**made, "$defs": defined}
