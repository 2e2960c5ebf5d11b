"""`segmodels evidence`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segmodels.cli import submissions
from segmodels.cli.common import Add, relative
from segmodels.core.wording import many
from segmodels.errors import SegmodelsError

if TYPE_CHECKING:
    from segmodels.evidence import Evidence


def add(commands: Add) -> None:
    """Add it."""
    evidence = commands(
        "evidence", _evidence_check, "check evidence, publish it, or merge its shards"
    )
    actions = evidence.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help="hashes, cells, and pixels against the labels")
    which = "files or folders, or what others packed (default: all evidence here)"
    check.add_argument("files", nargs="*", type=Path, help=which)
    kept = "count the label maps in and below this folder instead, e.g. labels/RUN/PROTOCOL"
    check.add_argument("--labels", type=Path, metavar="FOLDER", help=kept)
    check.add_argument("--by", metavar="NAME", help="keep it as evidence of this third party")
    check.add_argument("--url", default="", help="where the third party published it")
    public = "public key of minisign (its file, or RW…) that a submission must be signed with"
    check.add_argument("--key", default="", metavar="PUBLIC", help=public)
    check.set_defaults(command=_evidence_check)
    again = "what bf16 did to the numbers, measured again from the counts by the present rules"
    effect = actions.add_parser("effect", help=again)
    effect.add_argument("files", nargs="*", type=Path, help="files or folders (default: all)")
    effect.set_defaults(command=_evidence_effect)
    merge = actions.add_parser("merge", help="make the whole of all shards")
    merge.add_argument(
        "folder", type=Path, help="where to write, e.g. reports/local/evidence/RUN/NAME"
    )
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="<key>.json of a shard")
    merge.add_argument("--labels", type=Path, metavar="FOLDER", help="merge the label maps to it")
    merge.set_defaults(command=_evidence_merge)
    kept = "copy evidence that this machine counted to where git keeps it, unless it is stale"
    publish = actions.add_parser("publish", help=kept)
    publish.add_argument("run", help="or the claim that was verified")
    one = "only this one of its protocols, or robustness-SUITE"
    publish.add_argument("protocol", nargs="?", help=one)
    publish.set_defaults(command=_evidence_publish)
    whole = "print evidence as text: its head, and with --counts a line for each image"
    show = actions.add_parser("show", help=whole)
    show.add_argument("name", help="its <key>.json, its key (eight digits or more), or a claim")
    show.add_argument("--counts", action="store_true", help="the lines alone")
    show.set_defaults(command=_evidence_show)
    submissions.add(actions)


def _evidence_check(chosen: argparse.Namespace) -> int:
    return _check_labels(chosen) if chosen.labels else _check_files(chosen)


def _check_labels(chosen: argparse.Namespace) -> int:
    from segmodels.core import paths as layout
    from segmodels.datasets.opening import open_dataset
    from segmodels.evaluation.label_maps import check_maps, evidence_of, map_folders
    from segmodels.evidence import read_evidence

    folders, wrong = map_folders(chosen.labels), 0
    if not folders:
        raise SegmodelsError(f"{chosen.labels}: no label maps here (no manifest.json).")
    for folder in folders:
        try:
            file = _find_key(evidence_of(folder), chosen.files or layout.evidence_folders())
            if file is None:
                raise SegmodelsError(f"{folder}: evidence {evidence_of(folder)} is not here.")
            evidence = read_evidence(file)
            dataset = open_dataset(evidence.identity.dataset, evidence.identity.split)
            number = check_maps(folder, evidence, dataset)
        except SegmodelsError as error:
            print(f"error: {error}", file=sys.stderr)
            wrong += 1
            continue
        print(f"{relative(folder)}: ok, {number} maps give the counts of {evidence.key}")
    return 1 if wrong else 0


def _find_key(key: str, places: Sequence[Path]) -> Path | None:
    files = (file for place in places for file in _paths(place))
    return next((file for file in files if file.stem == key), None)


def _asked(chosen: argparse.Namespace) -> list[Path]:
    """The files of evidence that were named, those in named folders, or all that are here."""
    from segmodels.core import paths as layout

    places = _places(chosen)
    found = [path for place in places for path in _paths(place)]
    if not found:
        raise SegmodelsError(f"{(places or [layout.evidence()])[0]}: no evidence here.")
    return found


def _places(chosen: argparse.Namespace) -> list[Path]:
    from segmodels.core import paths as layout

    return chosen.files or [one for one in layout.evidence_folders() if one.is_dir()]


def _paths(place: Path) -> list[Path]:
    """Paths of the evidence in a folder or a bundle, or of the one whose file was named."""
    from segmodels.evidence import evidence_files
    from segmodels.evidence.finding import head_beside, paths_in

    if place.is_dir():
        return evidence_files(place)
    head = head_beside(place)
    return sorted(paths_in(head)) or [head]


def _check_files(chosen: argparse.Namespace) -> int:
    from segmodels.core import paths as layout
    from segmodels.evidence import check_evidence, registered_pixels
    from segmodels.verdicts.third_party import admit, check_answers, check_names

    if chosen.by is not None and not chosen.files:
        raise SegmodelsError("--by needs the files of the third party, or all of ours are taken.")
    if chosen.url and not chosen.by:
        raise SegmodelsError("--url goes with --by.")
    if chosen.by is not None:
        check_names(chosen.by, chosen.url)
    descriptions, folders = layout.descriptions(), layout.evidence_folders()
    packed, wrong = _check_packed(chosen)
    if packed and packed == chosen.files:
        return 1 if wrong else 0
    chosen.files = [path for path in chosen.files if path not in packed]
    wrong += _check_lone(_places(chosen))
    paths = _asked(chosen)
    for path in paths:
        try:
            evidence = check_evidence(path, *descriptions)
            if evidence.counted.by:  # put there by hand, perhaps
                check_answers(path, evidence, *descriptions)
            effect = _checked_effect(evidence, [*paths, *folders])
            part = _checked_part(path, evidence, [*paths, *folders])
        except SegmodelsError as error:
            print(f"error: {error}", file=sys.stderr)
            wrong += 1
            continue
        if chosen.by:
            copy = admit(path, folders, descriptions, chosen.by, chosen.url)
            print(f"{path}: kept as {relative(copy)}")
        skipped = f", {len(evidence.skipped)} left out" if evidence.skipped else ""
        known = registered_pixels(evidence, *descriptions) is not None
        pixels = "pixels as in the labels" if known else part or "labels not here to compare with"
        blocks = f" in {many(len(evidence.blocks.sizes), 'block')}" if evidence.blocks else ""
        images = f"{len(evidence.images)} images{blocks}{skipped}"
        print(f"{relative(path)}: ok, {images}, {pixels}{effect}")
    return 1 if wrong else 0


def _check_lone(places: Sequence[Path]) -> int:
    """Name counts that have lost their heads; returns how many."""
    from segmodels.evidence.finding import head_beside, lone_counts

    lone = [file for place in places if place.is_dir() for file in lone_counts(place)]
    for file in lone:
        lost = f"{head_beside(file).name} is missing beside it, so it is evidence of nothing"
        again = "Bring that file back, or remove this one and count again"
        print(f"error: {relative(file)}: {lost}. {again}.", file=sys.stderr)
    return len(lone)


def _check_packed(chosen: argparse.Namespace) -> tuple[list[Path], int]:
    """Judge the submissions among the files; returns them, and how many were refused."""
    from segmodels.evidence.signature import public_key
    from segmodels.evidence.submission import is_submission

    if chosen.key:
        public_key(chosen.key)
    packed, wrong = [path for path in chosen.files if is_submission(path)], 0
    if chosen.key and packed != chosen.files:
        raise SegmodelsError("--key is for files that `segmodels evidence pack` wrote.")
    for path in packed:
        try:
            wrong += not submissions.check_submission(path, chosen.key, chosen.by, chosen.url)
        except SegmodelsError as error:
            print(f"error: {error}", file=sys.stderr)
            wrong += 1
    return packed, wrong


def _checked_effect(evidence: Evidence, places: list[Path]) -> str:
    """What to say about an effect; nothing about evidence in fp32."""
    from segmodels.evidence import read_evidence
    from segmodels.metrics.precision_effect import check_effect, full_precision, interval_is_current

    if evidence.identity.precision == "fp32":
        return ""
    wanted = full_precision(evidence.identity).key
    full = _find_key(wanted, places)
    if evidence.effect is None:
        return f", effect of {evidence.identity.precision} not measured"
    if full is None:
        return f", fp32 evidence {wanted} not here to compare with"
    check_effect(evidence, read_evidence(full))
    old = "" if interval_is_current(evidence) else " but for its interval, see `evidence effect`"
    return f", effect as against {wanted}{old}"


def _checked_part(path: Path, evidence: Evidence, places: list[Path]) -> str:
    """What to say about a part of a split; nothing about undisturbed evidence, and about whole."""
    from segmodels.evidence import read_evidence
    from segmodels.evidence.check import check_part
    from segmodels.evidence.places import has_images_of, whole_of

    if (wanted := whole_of(evidence.identity)) is None:
        return ""
    found = _find_key(wanted, places)
    if found is None or not has_images_of(whole := read_evidence(found), evidence):
        return f"undisturbed evidence {wanted} not here to compare with"
    check_part(path, evidence, whole)
    return f"pixels of these images as in {wanted}"


def _evidence_effect(chosen: argparse.Namespace) -> int:
    from segmodels.core import paths as layout
    from segmodels.evidence import read_evidence, write_evidence
    from segmodels.metrics.precision_effect import full_precision, renewed
    from segmodels.verdicts.rules import load_rules

    paths, rule = _asked(chosen), load_rules().interval
    for path in paths:
        evidence = read_evidence(path)
        if evidence.effect is None:
            continue
        wanted = full_precision(evidence.identity).key
        full = _find_key(wanted, [*paths, *layout.evidence_folders()])
        if full is None:
            raise SegmodelsError(f"{path}: fp32 evidence {wanted} is not here to compare with.")
        again = renewed(evidence, read_evidence(full), rule)
        same = again.effect == evidence.effect
        if not same:
            write_evidence(path.parent, again)
        print(f"{relative(path)}: {'as it was' if same else 'written again'}")
    return 0


def _evidence_merge(chosen: argparse.Namespace) -> int:
    from segmodels.evidence import read_evidence, write_evidence
    from segmodels.evidence.merge import merge_evidence

    whole = merge_evidence(map(read_evidence, chosen.files))
    if chosen.labels:
        from segmodels.evaluation.label_maps import merge_maps
        from segmodels.evaluation.shards import shard_maps

        merge_maps([shard_maps(file) for file in chosen.files], chosen.labels, whole)
    print(relative(write_evidence(chosen.folder, whole)))
    return 0


def _evidence_publish(chosen: argparse.Namespace) -> int:
    from segmodels import steps

    found = steps.publish(chosen.run, chosen.protocol)
    for one in found:
        print(f"{relative(one.path)}: {'published' if one.new else 'published already'}")
    if any(one.new for one in found):
        print("Now the board of what is published: dvc repro leaderboard, and commit `reports`.")
    return 0


def _evidence_show(chosen: argparse.Namespace) -> int:
    from segmodels.core.files import readable_json
    from segmodels.core.notes import note
    from segmodels.doctor.locate import find_side
    from segmodels.evidence.head import counts_text, head_of

    evidence = find_side(chosen.name).evidence
    if chosen.counts and evidence.blocks:
        sums = f"{len(evidence.blocks.sizes)} sums of counts, each at the first image of its block"
        note(f"evidence {evidence.key} has {sums} (field 'blocks'); the other lines are empty.")
    lines = counts_text(evidence.images).decode()
    print(lines if chosen.counts else readable_json(head_of(evidence)), end="")
    return 0
