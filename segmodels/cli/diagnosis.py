"""`segmodels doctor` and `segmodels doctor diff`."""

from __future__ import annotations

import argparse
from dataclasses import replace

from segmodels.cli.common import Add, relative


def add(commands: Add) -> None:
    """Add both."""
    text = "check this machine, its data, weights and evidence; compare two pieces of evidence"
    doctor = commands("doctor", _doctor, text)
    deep = "decode every image, hash every weights file, check every count; overlap of splits"
    doctor.add_argument("--deep", action="store_true", help=deep)
    about = "where two pieces of evidence part, from weights to number (0: equal, 1: they differ)"
    diff = doctor.add_subparsers(metavar="ACTION").add_parser("diff", help=about, description=about)
    for name in ("a", "b"):
        diff.add_argument(name, metavar=name.upper(), help="<key>.json, a key, or a claim id")
    diff.add_argument("--protocol", metavar="NAME", help="score the counts of both as it says")
    diff.set_defaults(command=_diff)


def _doctor(chosen: argparse.Namespace) -> int:
    from segmodels.doctor import examine

    bad = False
    for finding in examine(chosen.deep):
        print(f"{finding.level:5} {finding.subject}: {finding.text}", flush=True)
        bad |= finding.level == "bad"
    return 1 if bad else 0


def _diff(chosen: argparse.Namespace) -> int:
    from segmodels.doctor.count_changes import numbers
    from segmodels.doctor.diff import STAGES, differences
    from segmodels.doctor.locate import find_side
    from segmodels.protocols.reading import load_protocol
    from segmodels.verdicts.rules import load_rules

    a, b = find_side(chosen.a), find_side(chosen.b)
    if chosen.protocol:
        a, b = (replace(side, protocol=load_protocol(chosen.protocol)) for side in (a, b))
    found = differences(a, b)
    apart = {difference.stage for difference in found}
    for letter, side in (("A", a), ("B", b)):
        print(f"{letter}: {relative(side.path)}")
    print(f"they part at: {found[0].stage}" if found else "equal, from weights to counts")
    for difference in found:
        print(f"  {difference.stage}: {difference.text.rstrip()}")
    if found:
        print(f"the same in both: {', '.join(s for s in STAGES if s not in apart) or 'nothing'}")
        print("\n".join(numbers(a, b, load_rules().interval)))
    return 1 if found else 0
