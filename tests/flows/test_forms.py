"""The deployments of prefect.yaml and their forms: typed, described, with names to choose from."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.exceptions import ParameterTypeError

from flows import choices
from segmodels.claims import load_claims
from segmodels.errors import SegmodelsError

REPOSITORY = Path(__file__).parents[2]
DEPLOYMENTS = {
    one["name"]: one
    for one in yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
}


def flow_of(deployment: str) -> Any:
    path, _, name = DEPLOYMENTS[deployment]["entrypoint"].partition(":")
    return getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)


def choices_of(about: dict[str, Any]) -> list[str]:
    """What the form offers, wherever its type has it."""
    found = [about, about.get("items", {}), *about.get("anyOf", [])]
    found += [one.get("items", {}) for one in about.get("anyOf", [])]
    return next((list(one["enum"]) for one in found if "enum" in one), [])


@pytest.mark.parametrize(
    "name", ["reproduce", "verify-claim", "train", "robustness", "leaderboard", "watch"]
)
def test_a_deployment_explains_itself(name: str) -> None:
    deployment, flow = DEPLOYMENTS[name], flow_of(name)
    assert flow.name == name
    assert "segmodels" in deployment["tags"]
    assert deployment["description"].endswith(".")
    assert deployment["concurrency_limit"]["limit"] == 1
    for about in flow.parameters.properties.values():
        assert about["description"].endswith(".")
        assert "type" in about or "anyOf" in about
    for schedule in deployment.get("schedules", []):
        assert set(schedule["parameters"]) <= set(flow.parameters.properties)


def test_one_deployment_is_for_several_workers_at_a_time() -> None:
    deployment, flow = DEPLOYMENTS["reproduce-together"], flow_of("reproduce-together")
    assert flow is flow_of("reproduce")
    assert "concurrency_limit" not in deployment
    assert deployment["parameters"]["exchange"] is True
    assert set(deployment["parameters"]) <= set(flow.parameters.properties)


@pytest.mark.parametrize(
    ("name", "parameter", "offered"),
    [
        ("reproduce", "suites", "camvid"),
        ("verify-claim", "claims", "espnet_p2_q8_camvid"),
        ("train", "run", "shapes-depict-nano"),
        ("robustness", "run", "camvid-espnet"),
        ("robustness", "suite", "imagenet-c"),
    ],
)
def test_names_are_offered(name: str, parameter: str, offered: str) -> None:
    assert offered in choices_of(flow_of(name).parameters.properties[parameter])


def test_every_claim_is_offered_and_only_runs_that_train() -> None:
    offered = choices_of(flow_of("verify-claim").parameters.properties["claims"])
    assert set(load_claims()) <= set(offered)
    trained = choices_of(flow_of("train").parameters.properties["run"])
    assert "camvid-espnet" not in trained


def test_a_project_without_lists_takes_any_text() -> None:
    def none() -> list[str]:
        raise SegmodelsError("no project")

    assert choices.one_of(none) is str
    assert choices.one_of(lambda: []) is str


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1", "mps"])
def test_devices_fit(device: str) -> None:
    flow_of("verify-claim").validate_parameters(
        {"claims": ["a"], "device": device, "force": False, "root": "."}
    )


@pytest.mark.parametrize(
    "wrong", [{"device": "cuda:"}, {"device": "cpu; rm -rf /"}, {"claims": "espnet"}, {"jobs": 0}]
)
def test_what_does_not_fit_is_refused_before_anything_runs(wrong: dict[str, Any]) -> None:
    name = "train" if "jobs" in wrong else "verify-claim"
    given = {"claims": ["a"], "force": False} if name == "verify-claim" else {"run": None}
    with pytest.raises(ParameterTypeError, match="invalid parameters"):
        flow_of(name).validate_parameters({**given, "root": ".", **wrong})
