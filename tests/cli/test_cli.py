"""The command line: one line for a mistake, and nothing heavy before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_project
import yaml

from segmodels import cli, steps
from segmodels.core import paths
from segmodels.errors import UnknownNameError
from segmodels.models import list_models

HEAVY = ("torch", "torchvision", "timm", "cv2", "pandas", "PIL", "prefect", "mlflow", "dvc")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    out, error = capsys.readouterr()
    return code, out, error


def loaded_by(root: Path, *arguments: str) -> set[str]:
    """The packages that a command has imported when it ends."""
    code = (
        "import sys\nfrom segmodels import cli\n"
        "try:\n    code = cli.main(sys.argv[1:])\nexcept SystemExit as end:\n    code = end.code\n"
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    first, *names = done.stderr.split()
    assert first == "0", done.stderr
    return set(names)


# --- what is imported ------------------------------------------------------------------


def test_help_is_instant(root: Path) -> None:
    for arguments in (["--help"], ["verify", "--help"]):
        assert not loaded_by(root, *arguments) & {*HEAVY, "numpy", "yaml"}


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "claims"], ["list", "runs"], ["show", "tiny"], ["suite"]]
)
def test_listing_needs_no_network(root: Path, arguments: list[str]) -> None:
    assert not loaded_by(root, *arguments) & set(HEAVY)


def test_judging_needs_no_network(root: Path) -> None:
    steps.ensure_dataset("shapes")
    steps.fetch_released("published")
    steps.evaluate_run("published", "plain")
    assert not loaded_by(root, "leaderboard") & set(HEAVY)
    assert "**below**" in (root / "reports/local/leaderboard.md").read_text()
    assert "**below**" not in (root / "reports/leaderboard.md").read_text()  # nothing is published


# --- the commands ----------------------------------------------------------------------


def test_list(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "list")[1].split() == list_models()
    assert run(capsys, "list", "models", "--match", "segformer*")[1].split() == (
        list_models("segformer*")
    )
    expected = {
        "datasets": ["closed", "shapes"],
        "protocols": ["plain", "strict", "views"],
        "claims": ["toy_closed", "toy_lost", "toy_no_run", "toy_nobody", "toy_open"],
        "recipes": ["tiny"],
        "runs": ["published", "tiny"],
        "suites": ["quick"],
        "weights": ["lost", "published"],
    }
    for what, names in expected.items():
        assert run(capsys, "list", what) == (0, "\n".join(names) + "\n", "")


def test_show(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("toy_open", "plain", "tiny", "shapes", "lost", "unet"):
        code, out, _ = run(capsys, "show", name)
        assert code == 0
        assert name in out
    _, out, _ = run(capsys, "show", "published")  # a run and weights
    assert set(yaml.safe_load(out)) == {"run", "weights"}
    recipes = root / "params" / "recipes"
    (recipes / "longer.yaml").write_text("title: longer\ninherits: tiny\nsteps: 9\n")
    _, out, _ = run(capsys, "show", "longer")
    shown = yaml.safe_load(out)["recipe"]
    assert (shown["steps"], shown["batch"], shown["nesterov"]) == (9, 2, True)


def test_evaluate(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, "evaluate", "tiny")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "tiny, plain",
        "tiny, strict",
        "tiny, views",
    ]
    assert "step 3/3" in error
    assert "3/3 images" in error
    again = run(capsys, "evaluate", "tiny")
    assert again == (0, out, "")


def test_evaluate_under_one_protocol(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "evaluate", "published", "--protocol", "strict")
    assert code == 0
    assert "published, strict: mIoU" in out
    # kept where dvc.yaml keeps it: under the first protocol of this inference
    assert [p.name for p in (paths.evidence() / "published").iterdir()] == ["plain"]


def test_claims_validate(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for action in ([], ["validate"]):
        code, out, _ = run(capsys, "claims", *action)
        assert code == 0
        assert out.endswith("claims and 0 statements, all good\n")
    path = root / "params/claims/toy.yaml"
    path.write_text(path.read_text().replace("value: 50", "value: 500", 1))
    code, _, error = run(capsys, "claims", "validate")
    assert code == 1
    assert "toy.yaml, claim 'toy_open': field 'value' is a percentage, not 500" in error


def test_verify(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "verify", "toy_open")
    assert code == 0
    assert out.startswith("toy_open: mIoU claimed 50")
    assert ": below\n" in out
    path = next(line.split()[1] for line in out.splitlines() if "evidence" in line)
    assert (root / path).is_file()
    code, out, _ = run(capsys, "verify", "toy_lost")
    assert (code, out.splitlines()[0]) == (0, "toy_lost: mIoU claimed 50.0, not verified: blocked")
    assert "the address died" in out


def test_train_suite_leaderboard_and_bench(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "train", "tiny")
    assert (code, out.strip()) == (0, str(paths.trained_weights("tiny")))
    assert run(capsys, "suite", "--check")[0] == 0
    assert run(capsys, "suite", "quick")[1] == "active: quick (known: quick)\n  tiny\n"
    code, out, _ = run(capsys, "leaderboard")
    assert {"reports/leaderboard.md", "reports/local/leaderboard.md"} <= set(out.splitlines())
    assert out.splitlines()[-1].startswith("Open reports/local/leaderboard.html for all that is")
    code, out, _ = run(capsys, "bench", "segformer_nano", "--size", "64")
    assert "segformer_nano: " in out


def test_doctor(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "doctor")
    assert f"ok    project: {root}" in out


# --- mistakes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "toy_opne"], "Did you mean 'toy_open'"),
        (["verify", "toy_opne"], "Did you mean 'toy_open'"),
        (["evaluate", "tini"], "Did you mean 'tiny'"),
        (["evaluate", "tiny", "--protocol", "plian"], "Did you mean 'plain'"),
        (["train", "tini"], "Did you mean 'tiny'"),
        (["train", "published"], "nothing to train"),
        (["suite", "quikc"], "Did you mean 'quick'"),
        (["list", "models", "--match", "nothing*"], "No models match 'nothing*'"),
        (["bench", "segfromer_b0"], "Did you mean 'segformer_b0'"),
        (["train", "tiny", "--device", "cuda:77"], "'cuda:77'"),
        (["evaluate", "published", "--device", "abacus"], "'abacus'"),
        (["evidence", "check", "nowhere.json"], "nowhere.json: no such file"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, out, error = run(capsys, *arguments)
    assert code == 1
    assert out == ""
    last = error.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last
    assert error.count("error:") == 1
    assert "Traceback" not in error


def test_wrong_usage(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["verfiy"], ["list", "claimz"], ["verify"]):
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        assert end.value.code == 2
    capsys.readouterr()


def test_an_active_file_that_no_longer_fits(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "params/runs/tiny.yaml"
    path.write_text(path.read_text().replace("protocols: [plain,", "protocols: [views, plain,"))
    code, _, error = run(capsys, "suite", "--check")
    assert code == 1
    assert "segmodels suite quick" in error
    assert run(capsys, "suite", "quick")[0] == 0
    assert run(capsys, "suite", "--check")[0] == 0


def test_an_interrupt_is_no_traceback(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "ensure_inputs", interrupted)
    code, out, error = run(capsys, "evaluate", "tiny")
    assert (code, out) == (130, "")
    assert error.startswith("stopped; ")


def test_a_reader_that_goes_away(root: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "segmodels.cli", "list"],
            cwd=root,
            stdout=gone,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_package_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "segmodels", "list", "models", "--match", "segformer_b?"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [f"segformer_b{size}" for size in range(6)]


def test_of_many_names_the_nearest_are_told() -> None:
    few = str(UnknownNameError("claim", "net_1x", ["net_10", "net_11", "other"]))
    assert few.endswith("Did you mean 'net_11' or 'net_10'? Known: net_10, net_11, other.")
    many = str(UnknownNameError("claim", "net_1x", [f"net_{n}" for n in range(100)]))
    assert many.count("net_") == 4
    assert many.endswith("? 100 are known.")
