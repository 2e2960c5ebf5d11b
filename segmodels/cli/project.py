"""`segmodels suite`, `export`, and the commands that write pages of docs/."""

from __future__ import annotations

import argparse
from pathlib import Path

from segmodels.cli.common import Add, relative

#: In place of a checkpoint: the board, as static files of SOTAVerified's interface.
_SITE = "sotaverified"


def add(commands: Add) -> None:
    """Add them."""
    suite = commands("suite", _suite, "choose what `dvc repro` rebuilds (no name: show it)")
    suite.add_argument(
        "names", nargs="*", metavar="NAME", help="of params/suites; several are joined"
    )
    suite.add_argument("--check", action="store_true", help="only say whether it is up to date")
    suite.add_argument(
        "--plan",
        action="store_true",
        help="only say what it needs: downloads, what is missing, memory and hours of trainings",
    )
    suite.add_argument(
        "--device", default="cpu", help="that --plan is about: cpu (default), cuda, …"
    )
    commands("catalogue", _catalogue, "write docs/models.md: what models are, hold and cost")
    commands("protocols", _protocols, "write docs/protocols.md: which paper measures how")
    export = commands(
        "export",
        _export,
        "write a checkpoint as an ONNX file (extra: onnx), or the board for a site",
    )
    whole = f"file or folder, any known format; or `{_SITE}`: the board in the shape of that site"
    export.add_argument("checkpoint", type=Path, help=whole)
    export.add_argument("onnx", type=Path, help=f"file to write; for `{_SITE}` a folder")
    export.add_argument("--size", type=int, nargs=2, default=(512, 512), metavar=("H", "W"))


def _suite(chosen: argparse.Namespace) -> int:
    from segmodels.runs.suite import activate, check_active, load_active, suite_names

    if chosen.plan:
        from segmodels.steps.suite_planning import suite_plan

        for line in suite_plan(chosen.names or load_active().suites, chosen.device):
            print(line, flush=True)
        return 0
    if chosen.check:
        check_active()
    elif chosen.names:
        activate(chosen.names)
    active = load_active()
    print(f"active: {', '.join(active.suites)} (known: {', '.join(suite_names())})")
    print("\n".join(f"  {run}" for run in active.runs))
    return 0


def _catalogue(chosen: argparse.Namespace) -> int:
    from segmodels.efficiency.model_page import load_families, render

    del chosen
    return _write_page("models", render(load_families()))


def _protocols(chosen: argparse.Namespace) -> int:
    from segmodels.protocols.page import render
    from segmodels.protocols.reading import load_protocols

    del chosen
    return _write_page("protocols", render(load_protocols()))


def _write_page(name: str, text: str) -> int:
    from segmodels.core.files import write_text
    from segmodels.core.settings import project_root

    path = project_root() / "docs" / f"{name}.md"
    write_text(path, text)
    print(relative(path))
    return 0


def _export(chosen: argparse.Namespace) -> int:
    return _export_site(chosen) if str(chosen.checkpoint) == _SITE else _export_onnx(chosen)


def _export_site(chosen: argparse.Namespace) -> int:
    from segmodels.exchange.sotaverified.files import write_api
    from segmodels.leaderboard import rows_here

    written = write_api(chosen.onnx, rows_here(published=True))
    print(relative(written.paths[-1]))
    print(f"{written.papers} papers, {written.numbers} numbers, from published evidence alone")
    if written.without_arxiv:
        print(f"{written.without_arxiv} claims left out: their papers have no arXiv number")
    return 0


def _export_onnx(chosen: argparse.Namespace) -> int:
    from segmodels.checkpoints import load_checkpoint
    from segmodels.checkpoints.onnx import export_onnx

    model = load_checkpoint(chosen.checkpoint)
    print(relative(export_onnx(model, chosen.onnx, tuple(chosen.size))))
    return 0
