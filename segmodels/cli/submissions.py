"""`segmodels evidence pack`, `key`, and `check` of what somebody packed."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from segmodels.cli.common import relative

if TYPE_CHECKING:
    from segmodels.verdicts.submission import JudgedPart

    Actions = argparse._SubParsersAction[argparse.ArgumentParser]


def add(actions: Actions) -> None:
    """Add `pack` and `key` to the actions of `segmodels evidence`."""
    text = (
        "write a run's evidence as one file that others can judge, with environment, hashes and "
        "the digest of its label maps; of a folder (default: reports/evidence): give its evidence "
        "the form of the fewest bytes, in place"
    )
    pack = actions.add_parser("pack", help=text, description=text)
    pack.add_argument("run", nargs="?", help="a run, a claim that was verified, or a folder")
    pack.add_argument("--out", type=Path, metavar="FILE", help="default: RUN.submission, here")
    signing = "secret key of minisign to sign with (extra: sign); see `segmodels evidence key`"
    pack.add_argument("--sign", type=Path, metavar="KEY", help=signing)
    replaced = "replace the file where it is there and holds something else"
    pack.add_argument("--force", action="store_true", help=replaced)
    pack.set_defaults(command=_pack)
    making = "make a pair of keys for signatures: FILE, to be kept secret, and FILE.pub"
    key = actions.add_parser("key", help=making, description=making)
    key.add_argument("file", type=Path, help="to write the secret key to")
    key.set_defaults(command=_key)


def _pack(chosen: argparse.Namespace) -> int:
    from segmodels.core import paths
    from segmodels.errors import SegmodelsError
    from segmodels.steps.packing import pack_run, packable_runs

    if chosen.run is None or (chosen.run not in packable_runs() and Path(chosen.run).is_dir()):
        if chosen.out or chosen.sign or chosen.force:
            raise SegmodelsError("--out, --sign and --force go with a run.")
        return _pack_folder(Path(chosen.run) if chosen.run else paths.published_evidence())
    packed = pack_run(chosen.run, chosen.out, chosen.sign, chosen.force)
    signed = ", signed" if chosen.sign else ""
    size = f"{packed.path.stat().st_size:,} bytes"
    print(f"{relative(packed.path)}: evidence {', '.join(packed.keys)}, {size}{signed}")
    if packed.published:
        print(f"  {packed.published} of the project's own: published, not counted on this machine")
    for reason, number in Counter(packed.left_out).items():
        print(f"  left out: {number} {reason}")
    print(f"others judge it without images: segmodels evidence check {packed.path.name}")
    return 0


def _pack_folder(folder: Path) -> int:
    from segmodels.core.files import readable_size
    from segmodels.steps.publishing import pack_published

    before = _size(folder)
    for place in pack_published(folder):
        print(relative(place))
    print(f"{readable_size(before)} before, {readable_size(_size(folder))} now")
    return 0


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _key(chosen: argparse.Namespace) -> int:
    from segmodels.evidence.signature import make_key

    public = make_key(chosen.file)
    print(f"{relative(chosen.file)}: secret, without a password; keep it to yourself")
    print(f"{relative(public)}: give it to whoever checks: {public.read_text().split()[-1]}")
    return 0


def check_submission(path: Path, key: str, by: str | None, url: str) -> bool:
    """Say what is in a submission and what it would answer; with `by`, keep it.

    Returns:
        whether everything in it can answer something here.

    Raises:
        SegmodelsError: it was changed, or anything in it is unsound; with `by`, or unknown.
    """
    from segmodels.core import paths
    from segmodels.evidence.counted import NOT_CHECKED
    from segmodels.verdicts.project import load_project
    from segmodels.verdicts.submission import admit_submission, judge_submission

    folders, descriptions = paths.evidence_folders(), paths.descriptions()
    project = load_project(paths.published_evidence(), paths.reports())
    judged = judge_submission(path, project, descriptions, key, folders)
    print(f"{relative(path)}: whole, of run {judged.submission.run!r}")
    if judged.signed == NOT_CHECKED:
        print("  signed; not checked: give the public key with --key")
    elif judged.signed:
        print(f"  signed, checked with {judged.signed}")
    else:
        print("  not signed")
    for one in judged.parts:
        _print_part(one)
    if by:
        for copy in admit_submission(path, judged, folders, descriptions, by, url):
            print(f"  kept as {relative(copy)}")
        print("  a row rests on it where the project has no evidence of its own, else its page")
        print("  shows it beside that (docs/verdicts.md)")
    return not any(one.objection for one in judged.parts)


def _print_part(one: JudgedPart) -> None:
    """A piece: its images, its numbers, and the verdicts that it would give."""
    images, maps = len(one.evidence.images), one.part.maps
    kept = f", label maps {maps['sha256'][:12]}…" if maps.get("sha256") else ""
    print(f"  {one.part.protocol} {one.part.key}: sound, {images} images{kept}")
    for name, miou in sorted(one.scores.items()):
        print(f"    mIoU {miou:.2f} under {name}")
    if one.objection:
        print(f"    answers nothing here: {one.objection}")
    for claim, verdict in one.answers:
        found = "nothing" if verdict.verified is None else f"{verdict.verified:.2f}"
        print(f"    {claim.id}: {claim.metric} printed {claim.printed}, {found}: {verdict.status}")
    if not one.answers and not one.objection:
        print("    no claim here is about it")
