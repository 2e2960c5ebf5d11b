from __future__ import annotations

import pytest
import yaml

from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.runs.run import load_run, run_names
from segmodels.runs.suite import (
    activate,
    active_text,
    check_active,
    load_active,
    load_suite,
    suite_names,
)

RUN = {
    "model": "unet",
    "dataset": "shapes",
    "split": "test",
    "protocols": ["shapes-ss"],
    "recipe": "shapes-nano",
    "seed": 0,
    "overrides": {},
}


@pytest.fixture
def write_run(project, edit_yaml):
    def _write(**changes):
        path = project / "params" / "runs" / "odd.yaml"
        path.write_text("{}")
        edit_yaml(path, lambda content: content.update({**RUN, **changes}))
        return path

    return _write


def test_every_run_and_suite_of_this_project_is_valid(project):
    for name in run_names():
        run = load_run(name)
        assert run.name == name
        assert set(run.distinct_protocols()) <= set(run.protocols)
    for suite in suite_names():
        assert load_suite(suite)


def test_protocols_with_equal_inference_are_evaluated_once(project):
    assert load_run("camvid-espnet").distinct_protocols() == ["espnet-camvid"]
    run = load_run("shapes-depict-nano")
    assert run.distinct_protocols() == list(run.protocols)


def test_where_weights_lie(project):
    assert load_run("camvid-espnet").weights_folder == "weights/released/espnet-p2-q8-camvid"
    assert load_run("camvid-unet-half").weights_folder == "weights/trained/camvid-unet-half"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "field 'model': expected text, found nothing"),
        ({"modle": "unet"}, "unknown field 'modle'"),
        ({"model": "unett"}, "Unknown model 'unett'. Did you mean 'unet'"),
        ({"dataset": "shape"}, "Unknown dataset 'shape'. Did you mean 'shapes'"),
        ({"split": "tets"}, "Unknown split of shapes 'tets'. Did you mean 'test'"),
        ({"protocols": []}, "field 'protocols' lists nothing"),
        ({"protocols": "shapes-ss"}, "field 'protocols': expected a list, found 'shapes-ss'"),
        ({"protocols": [1]}, "field 'protocols.0.': expected text, found 1"),
        ({"protocols": ["shapes-s"]}, "Unknown protocol 'shapes-s'. Did you mean 'shapes-ss'"),
        ({"recipe": "shapes-nan"}, "Unknown recipe 'shapes-nan'. Did you mean 'shapes-nano'"),
        ({"recipe": None}, "give either 'weights' .* or 'recipe'"),
        ({"weights": "espnet-p2-q8-camvid"}, "give either 'weights' .* or 'recipe'"),
        ({"recipe": None, "weights": "espnet"}, "Unknown weights 'espnet'"),
        (
            {"recipe": None, "weights": "espnet-p2-q8-camvid"},
            "field 'model' is 'unet', but weights 'espnet-p2-q8-camvid' are those of 'espnet_p2",
        ),
        ({"robustness": ["quik"]}, "Unknown robustness suite 'quik'. Did you mean 'quick'"),
        ({"robustness": ["a/../b"]}, "'robustness': 'a/../b' is no name for a suite: letters"),
        ({"robustness": [1]}, "field 'robustness.0.': expected text, found 1"),
        ({"seed": 0.5}, "field 'seed': expected a whole number, found 0.5"),
        ({"seed": None}, "field 'seed': expected a whole number, found nothing"),
        ({"overrides": None}, "field 'overrides': expected fields by name, found nothing"),
        ({"seed": -1}, "field 'seed': expected at least 0, found -1"),
        ({"overrides": [1]}, "field 'overrides': expected fields by name, found"),
    ],
)
def test_a_broken_run_is_named(write_run, changes, message):
    path = write_run(**changes)
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_run("odd")
    assert str(caught.value).startswith(f"{path}: ")


def test_unknown_names_suggest_the_nearest(project):
    with pytest.raises(UnknownNameError, match="Did you mean 'camvid-espnet'"):
        load_run("camvid-espnt")
    with pytest.raises(UnknownNameError, match="Did you mean 'quick'"):
        load_suite("quik")
    with pytest.raises(UnknownNameError, match="Did you mean 'camvid'"):
        active_text(["quick", "camvit"])


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("[camvid-espnt]", "Unknown run 'camvid-espnt'. Did you mean 'camvid-espnet'"),
        ("[1]", "field 'runs.0.': expected text, found 1"),
        ("camvid-espnet", "field 'runs': expected a list, found"),
    ],
)
def test_a_broken_suite_is_named(project, runs, message):
    path = project / "params" / "suites" / "odd.yaml"
    path.write_text(f"title: t\nruns: {runs}\n")
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_suite("odd")
    assert str(caught.value).startswith(f"{path}: ")


# The active file


def test_the_active_file_of_the_quick_suite(project):
    active = yaml.safe_load(active_text(["quick"]))
    names = [run.name for run in load_suite("quick")]
    assert active["suites"] == ["quick"]
    assert active["runs"] == names
    assert (active["downloaded"], active["generated"], active["released"]) == ([], ["shapes"], [])
    assert list(active["trained"]) == names
    assert len(active["evaluated"]) == 4 * len(names)
    assert active["evaluated"]["shapes-depict-nano-shapes-ms"] == {
        "run": "shapes-depict-nano",
        "protocol": "shapes-ms",
        "dataset": "shapes",
        "weights": "weights/trained/shapes-depict-nano",
    }
    assert active["stressed"]["shapes-depict-nano-quick"]["protocol"] == "shapes-ss"


def test_the_active_file_of_the_camvid_suite(project):
    active = yaml.safe_load(active_text(["camvid"]))
    assert (active["downloaded"], active["generated"]) == (["camvid"], [])
    assert active["released"] == [
        "cgnet-m3n21-camvid",
        "enet-ntkhoa95-camvid",
        "enet-ntkhoa95-camvid-first",
        "espnet-p2-q8-camvid",
    ]
    assert "camvid-espnet" not in active["trained"]
    assert "camvid-espnet-camvid-whole" not in active["evaluated"]  # shares the evidence
    assert list(active["stressed"]) == ["camvid-unet-half-quick", "camvid-segformer-half-quick"]


def test_only_runs_that_ask_for_it_keep_their_labels(project, edit_yaml):
    assert yaml.safe_load(active_text(["quick"]))["labelled"] == {}
    run = project / "params" / "runs" / "shapes-depict-nano.yaml"
    edit_yaml(run, lambda content: content.update(keep_labels=True))
    active = yaml.safe_load(active_text(["quick"]))
    names = [f"shapes-depict-nano-{name}" for name in load_run("shapes-depict-nano").protocols]
    assert list(active["labelled"]) == names
    assert all(active["labelled"][n].items() <= active["evaluated"][n].items() for n in names)
    edit_yaml(run, lambda content: content.update(keep_labels="yes, please"))
    with pytest.raises(
        SegmodelsError, match="'keep_labels': expected true or false, found 'yes, please'"
    ):
        active_text(["quick"])


def test_suites_add_up_and_repeat_nothing(project):
    both = yaml.safe_load(active_text(["quick", "camvid", "quick"]))
    assert len(both["runs"]) == len(set(both["runs"])) == 11
    assert (both["downloaded"], both["generated"]) == (["camvid"], ["shapes"])


def test_every_stage_of_dvc_finds_its_fields(project):
    """`dvc.yaml` reads these; a missing one would stop every stage, not only its own."""
    active = yaml.safe_load(active_text(["quick", "camvid"]))
    assert active["labelled"] == {}  # it has the fields of `evaluated`
    for group, fields in {
        "trained": {"dataset", "begins_with"},
        "evaluated": {"run", "protocol", "dataset", "weights"},
        "stressed": {"run", "suite", "protocol", "dataset", "weights"},
    }.items():
        assert active[group]
        assert all(set(stage) == fields for stage in active[group].values())


def test_activating_writes_what_is_then_found_in_order(project):
    path = activate(["quick"])
    assert path == project / "params" / "active.yaml"
    assert path.read_text().startswith("# What `dvc repro` rebuilds. Written by `segmodels suite q")
    assert load_active().suites == ("quick",)
    check_active()


def test_an_unknown_suite_leaves_the_active_file_alone(project):
    before = activate(["quick"]).read_bytes()
    with pytest.raises(UnknownNameError):
        activate(["camvid", "quik"])
    assert (project / "params" / "active.yaml").read_bytes() == before


def test_a_changed_run_is_noticed(project, edit_yaml):
    activate(["quick"])
    run = project / "params" / "runs" / "shapes-depict-nano.yaml"
    edit_yaml(run, lambda content: content.update(protocols=["shapes-ss"]))
    with pytest.raises(SegmodelsError, match=r"no longer matches.*segmodels suite quick"):
        check_active()


def test_a_changed_suite_is_noticed(project, edit_yaml):
    activate(["quick"])
    suite = project / "params" / "suites" / "quick.yaml"
    edit_yaml(suite, lambda content: content["runs"].pop())
    with pytest.raises(SegmodelsError, match="no longer matches"):
        check_active()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("suites: quick", "field 'suites': expected a list, found 'quick'"),
        ("suites:", "field 'suites': expected a list, found nothing"),
        ("{}", "field 'suites' is missing"),
        ("suites: [1]", "field 'suites.0.': expected text, found 1"),
        ("suites: [quik]", "Did you mean 'quick'"),
        ("suites: [", "not valid YAML"),
    ],
)
def test_a_broken_active_file_is_named(project, text, message):
    (project / "params" / "active.yaml").write_text(text)
    with pytest.raises(SegmodelsError, match=message):
        check_active()


def test_a_run_for_which_there_is_no_robustness_file(write_run, project):
    (project / "params" / "robustness.yaml").unlink()
    write_run()
    assert load_run("odd").robustness == ()
    write_run(robustness=["quick"])
    with pytest.raises(SegmodelsError, match=r"robustness\.yaml: no such file"):
        load_run("odd")
