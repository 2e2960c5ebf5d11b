"""`segmodels data`: which datasets there are, where they come from, and copies that are here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segmodels.cli.common import SKIP, Add, relative
from segmodels.cli.progress import progress
from segmodels.errors import SegmodelsError, UnknownNameError

if TYPE_CHECKING:
    from segmodels.datasets import Dataset

#: Faults of a split that are listed one by one.
_LISTED = 20

_ACTIONS = {
    "list": "every dataset, its state and size",
    "show": "licence, where to get it, which layouts are known",
    "add": "use a copy where it lies, or a dataset of your own by the file that describes it",
    "check": "decode every image and label of what is here",
    "forget": "do not use the copy any more; it is left alone",
    "masks": "write train.pth and val.pth of Pascal Context as PNG",
}


def add(commands: Add) -> None:
    """Add it with its actions."""
    text = "datasets: what is here, where the rest comes from, how to use a copy"
    actions = commands("data", _list, text).add_subparsers(metavar="ACTION")
    does = (_list, _show, _add, _check, _forget, _masks)
    parsers = {name: actions.add_parser(name, help=help_) for name, help_ in _ACTIONS.items()}
    for parser, command in zip(parsers.values(), does, strict=True):
        parser.set_defaults(command=command)
    for name in ("show", "add", "check", "forget"):
        parsers[name].add_argument("name", help="or FILE.yaml that describes your own")
    copied = "its folder, one above it, or a zip archive; none for a dataset of your own"
    parsers["add"].add_argument("path", type=Path, nargs="?", help=copied)
    again = "decode what is remembered too, as a failing disk changes neither size nor time"
    parsers["check"].add_argument("--again", action="store_true", help=again)
    parsers["masks"].add_argument("path", type=Path, help="the folder VOC2010 with both files")
    only = "only this split, e.g. val; may be given several times"
    for name in ("add", "check"):
        parsers[name].add_argument("--split", action="append", default=[], help=only)
        parsers[name].add_argument("--skip-unreadable", action="store_true", help=SKIP)


def _list(chosen: argparse.Namespace) -> int:
    from segmodels.cli.data_page import dataset_lines

    del chosen
    print("\n".join(dataset_lines()))
    return 0


def _show(chosen: argparse.Namespace) -> int:
    from segmodels.assets.entries import load_dataset_entry
    from segmodels.cli.data_page import dataset_page

    print("\n".join(dataset_page(load_dataset_entry(chosen.name))))
    return 0


def _add(chosen: argparse.Namespace) -> int:
    from segmodels.assets.own_dataset import is_description
    from segmodels.datasets.copies import add_dataset

    if is_description(chosen.name):
        return _add_own(chosen)
    if chosen.path is None:
        raise SegmodelsError(
            f"data add {chosen.name}: name its folder too; a dataset of your own is added by the "
            f"file that describes it, as {chosen.name}.yaml."
        )
    found = add_dataset(chosen.name, chosen.path, chosen.split, chosen.skip_unreadable)
    print(f"{chosen.name}: {found.place.layout.title}, in {found.place.root}")
    for split, number in found.images.items():
        print(f"  {split}: {number} images, each with its labels")
    for note in found.notes:
        print(f"  note: {note}")
    print(f"  few images were decoded; all: segmodels data check {chosen.name}, or the first run")
    return 0


def _add_own(chosen: argparse.Namespace) -> int:
    from segmodels.datasets.own import add_own

    file = Path(chosen.name)
    if chosen.path is not None or chosen.split or chosen.skip_unreadable:
        raise SegmodelsError(
            f"data add {chosen.name}: the file says where the images are and which splits there "
            f"are; nothing stands behind it."
        )
    copy, splits = add_own(file)
    about = splits[0].about
    print(f"{about.name}: {len(about.class_names)} classes, in {about.place}")
    for dataset in splits:
        print(f"  {dataset.split}: {len(dataset)} images, each with its labels")
    print(f"  kept as {relative(copy)}")
    print(f"  one image of each split was decoded; all: segmodels data check {about.name}")
    return 0


def _check(chosen: argparse.Namespace) -> int:
    from segmodels.datasets.copies import skip_unreadable
    from segmodels.datasets.own import OwnFolder
    from segmodels.datasets.registry import splits_here
    from segmodels.datasets.shared_images import check_shared

    if chosen.skip_unreadable:
        skip_unreadable(chosen.name)
    splits = chosen.split or splits_here(chosen.name)
    whole, missing = _opened(chosen.name, splits)
    for text in missing:
        print(f"error: {text}", file=sys.stderr)
    good = [_checked(dataset, chosen.again) for dataset in whole.values()]
    if missing or not all(good):
        return 1
    for dataset in list(whole.values())[:1]:
        if isinstance(dataset, OwnFolder):
            for text in check_shared(dataset.about, whole):
                print(f"note: {text}")
    return 0


def _opened(name: str, splits: Sequence[str]) -> tuple[dict[str, Dataset], list[str]]:
    """The splits whose files are all here, and what the others lack."""
    from segmodels.datasets.opening import open_dataset

    whole, missing = {}, []
    for split in splits:
        try:
            whole[split] = open_dataset(name, split, whole=True)
        except UnknownNameError:
            raise
        except SegmodelsError as error:
            missing.append(str(error))
    return whole, list(dict.fromkeys(missing))


def _checked(dataset: Dataset, again: bool) -> bool:
    """Look at every sample of a split and tell what is wrong."""
    from segmodels.datasets.description import check_labels, left_out
    from segmodels.datasets.registration import registered
    from segmodels.datasets.survey import survey

    found, named = survey(dataset, progress, again=again), f"{dataset.name} {dataset.split}"
    copy = registered(dataset.name)
    if found.faults and not (copy and copy.skip_unreadable):
        return _refused(dataset, found.faults)
    skipped = left_out(dataset, found, skip=True)
    _describe_anew(dataset, skipped)
    check_labels(dataset, found)
    for name, reason in skipped.items():
        print(f"{named}: left out {name} ({reason})")
    print(f"{named}: {len(found.good)} images and their labels, all good")
    dataset.leave_out(skipped)
    _note_turns(named, found.turned)
    _compare(dataset)
    return True


def _note_turns(named: str, turns: Mapping[str, str]) -> None:
    """OpenCV turns photographs as EXIF asks; Pillow, label files and segmodels do not."""
    if turns:
        listed = ", ".join(f"{name} {turn}" for name, turn in list(turns.items())[:_LISTED])
        print(
            f"note: {named}: EXIF asks for {len(turns)} photographs to be "
            f"turned ({listed}). They are read as they lie, as their labels are; OpenCV would turn "
            f"them (docs/pixels.md)."
        )


def _refused(dataset: Dataset, faults: Sequence[str]) -> bool:
    for fault in faults[:_LISTED]:
        print(f"error: {fault}", file=sys.stderr)
    more = f", the first {_LISTED} listed" if len(faults) > _LISTED else ""
    summary = f"{len(faults)} of {len(dataset)} images cannot be used{more}"
    print(f"{dataset.name} {dataset.split}: {summary}", file=sys.stderr)
    return False


def _describe_anew(dataset: Dataset, skipped: Mapping[str, str]) -> None:
    """Forget what was recorded if other images can be read now."""
    from segmodels.datasets.described import forget_description, skipped_in

    if skipped_in(dataset.name, dataset.split).keys() != skipped.keys():
        forget_description(dataset.name)


def _compare(dataset: Dataset) -> None:
    """Cityscapes labels may be there twice; then both must say the same."""
    from segmodels.datasets.cityscapes import Cityscapes

    wrong = list(dataset.disagreements()) if isinstance(dataset, Cityscapes) else []
    if wrong:
        sample, pixels = wrong[0]
        raise SegmodelsError(
            f"{sample.label}: differs in {pixels} pixels from what its labelIds become, and "
            f"{len(wrong) - 1} more files differ. Delete the labelTrainIds: labelIds are then used."
        )


def _forget(chosen: argparse.Namespace) -> int:
    from segmodels.datasets.copies import forget_dataset

    print(f"{chosen.name}: {forget_dataset(chosen.name)} is not used any more")
    return 0


def _masks(chosen: argparse.Namespace) -> int:
    from segmodels.datasets.pascal_context import write_masks

    for split, number in write_masks(chosen.path).items():
        print(f"{split}: {number} masks")
    return 0
