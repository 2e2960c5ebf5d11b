"""How MLflow's server is started: the file of the project, or a team's database with a login."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from flows import mlflow_server
from segmodels.errors import SegmodelsError

TEAM = {
    "MLFLOW_BACKEND_STORE_URI": "postgresql://mlflow:se%40cret-1@db.example.org:5433/runs?sslmode=require",
    "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/mlflow",
    "MLFLOW_AUTH_ADMIN_PASSWORD": "secret-2-secret",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "secret-3",
    "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://prefect:secret-4@db/prefect",
    "AWS_SECRET_ACCESS_KEY": "secret-5",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "protocols.yaml").write_text("{}\n")
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    return tmp_path


def test_alone_it_works_on_the_file_of_the_project(project: Path) -> None:
    found = mlflow_server.environment({"HOME": "x"}, project)
    assert found == {
        "HOME": "x",
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{project}/mlflow.db",
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"{project}/mlartifacts",
    }
    words = mlflow_server.command({}, 5000)[1:]
    expected = "-m mlflow server --host 127.0.0.1 --port 5000 --workers 1"
    assert " ".join(words) == expected
    assert mlflow_server.client_environment({"HOME": "x"}, 5000) == {"HOME": "x"}


def test_a_team_has_a_login_and_no_secret_leaves_the_environment(project: Path) -> None:
    words = mlflow_server.command(TEAM, 5000)
    assert words[-2:] == ["--app-name", "basic-auth"]
    found = mlflow_server.environment(TEAM, project)
    bare = "postgresql://mlflow@db.example.org:5433/runs?sslmode=require"
    assert (found["MLFLOW_BACKEND_STORE_URI"], found["PGPASSWORD"]) == (bare, "se@cret-1")
    assert found["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://bucket/mlflow"
    assert "MLFLOW_DEFAULT_ARTIFACT_ROOT" not in found
    login = Path(found["MLFLOW_AUTH_CONFIG_PATH"]).read_text()
    assert "cret-" not in login + " ".join(words)
    config = configparser.ConfigParser()
    config.read_string(login)
    assert dict(config["mlflow"])["database_uri"] == bare
    assert config["mlflow"]["default_permission"] == "EDIT"
    assert config["mlflow"]["admin_username"] == "admin"
    named = mlflow_server.environment({**TEAM, "MLFLOW_AUTH_ADMIN_USERNAME": "boss%1"}, project)
    config.read(named["MLFLOW_AUTH_CONFIG_PATH"])
    assert config["mlflow"]["admin_username"] == "boss%1"


def test_what_works_for_the_server_knows_its_login_alone() -> None:
    found = mlflow_server.client_environment(TEAM, 5001)
    assert found["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5001"
    login = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    assert [found[name] for name in login] == ["admin", "secret-2-secret"]
    assert not set(found) & set(mlflow_server.PRIVATE)
    own = {"MLFLOW_TRACKING_USERNAME": "runner", "MLFLOW_TRACKING_PASSWORD": "another secret"}
    told = mlflow_server.client_environment({**TEAM, **own}, 5001)
    assert own.items() <= told.items()
    assert "secret-2-secret" not in told.values()


def test_a_server_elsewhere_is_not_started_again() -> None:
    there = {"MLFLOW_TRACKING_URI": "https://mlflow.example.org"}
    assert mlflow_server.is_elsewhere(there)
    assert not mlflow_server.is_elsewhere({**there, **TEAM})
    assert not mlflow_server.is_elsewhere({"MLFLOW_TRACKING_URI": "sqlite:////here.db"})


def test_other_machines_need_a_login() -> None:
    everywhere = {"MLFLOW_HOST": "0.0.0.0"}
    with pytest.raises(SegmodelsError, match=r"MLFLOW_HOST=0\.0\.0\.0 opens MLflow .*PASSWORD and"):
        mlflow_server.command(everywhere, 5000)
    assert "0.0.0.0" in mlflow_server.command({**TEAM, **everywhere}, 5000)
    assert mlflow_server.health(everywhere, 5000) == "http://127.0.0.1:5000/health"
    for near in ("127.0.0.1", "localhost", "::1"):
        assert near in mlflow_server.command({"MLFLOW_HOST": near}, 5000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": "short"}, "has 5 characters; MLflow asks for 12"),
        ({"MLFLOW_FLASK_SERVER_SECRET_KEY": ""}, r"SECRET_KEY is not set; .*token_hex"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://a:b@c@d:x/e"}, "STORE_URI: expected .*%40"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://a:b@c@d/e"}, "STORE_URI: expected .*%40"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://a:b@c/d@e/f"}, "STORE_URI: expected .*%40"),
    ],
)
def test_a_setting_that_does_not_fit(project: Path, change: dict[str, str], words: str) -> None:
    with pytest.raises(SegmodelsError, match=words):
        mlflow_server.environment({**TEAM, **change}, project)
