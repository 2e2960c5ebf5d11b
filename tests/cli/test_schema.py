"""What editors are told about the files in `params/` is what the readers of these files accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from segmodels import cli
from segmodels.cli.schema import FILES, schemas
from segmodels.core.files import read_json
from segmodels.core.yaml_entries import read_yaml

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "params" / "schemas"

KINDS = sorted(FILES)


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Any]]:
    return schemas()


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schemas_are_what_the_command_writes(kind: str, made: Any) -> None:
    assert read_json(FOLDER / f"{kind}.json") == made[kind], "run `segmodels schema`"


def test_every_file_has_a_schema_and_editors_know_which() -> None:
    covered = {path for pattern in FILES.values() for path in REPOSITORY.glob(pattern)}
    assert covered == set((REPOSITORY / "params").rglob("*.yaml"))
    assert {path.stem for path in FOLDER.iterdir()} == set(FILES)
    settings = json.loads((REPOSITORY / ".vscode" / "settings.json").read_text())
    assert settings["yaml.schemas"] == {
        f"./params/schemas/{kind}.json": pattern for kind, pattern in FILES.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_this_project_fit(kind: str, made: Any) -> None:
    checker = jsonschema.Draft202012Validator(made[kind])
    checker.check_schema(made[kind])
    for path in REPOSITORY.glob(FILES[kind]):
        plain = json.loads(json.dumps(read_yaml(path)))
        assert [error.message for error in checker.iter_errors(plain)] == [], path


@pytest.mark.parametrize("kind", ["claims", "protocols", "runs", "recipes", "suites", "active"])
def test_an_unknown_field_does_not_fit(kind: str, made: Any) -> None:
    path = next(iter(sorted(REPOSITORY.glob(FILES[kind]))))
    plain = json.loads(json.dumps(read_yaml(path)))
    entry = plain if kind not in ("claims", "protocols") else None
    entry = entry or (plain["claims"][0] if kind == "claims" else next(iter(plain.values())))
    checker = jsonschema.Draft202012Validator(made[kind])
    assert checker.is_valid(plain)
    entry["no such field"] = 1
    assert not checker.is_valid(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_is(kind: str, made: Any) -> None:
    defined = [made[kind], *made[kind].get("$defs", {}).values()]
    for model in defined:
        assert model.get("description") or "properties" not in model
        for name, field in model.get("properties", {}).items():
            told = field.get("description") or "const" in field
            assert told, f"{model.get('title')}.{name}"


def test_the_command_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "protocols.yaml").write_text("")
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    assert cli.main(["schema"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FILES) + 1  # and the board's
    for path in FOLDER.iterdir():
        assert read_json(tmp_path / "params" / "schemas" / path.name) == read_json(path)
