"""A Dockerfile as its instructions, and its steps in a root of their own where no builder is."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    @property
    def sources(self) -> list[str]:
        """Of COPY: what is copied."""
        return [word for word in shlex.split(self.rest)[:-1] if not word.startswith("--")]


def instructions(dockerfile: Path) -> list[Instruction]:
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in whole if line.strip()]


class Ignored:
    """What `.dockerignore` keeps out of an image."""

    def __init__(self, file: Path) -> None:
        lines = (line.strip() for line in file.read_text().splitlines())
        self.patterns = [line for line in lines if line and not line.startswith("#")]

    def __contains__(self, path: str) -> bool:
        parts = Path(path).parts
        wholes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        return any(self._fits(whole) for whole in wholes)

    def _fits(self, whole: str) -> bool:
        name = Path(whole).name
        return any(
            fnmatch.fnmatchcase(name, pattern.removeprefix("**/"))
            if pattern.startswith("**/")
            else fnmatch.fnmatchcase(whole, pattern)
            for pattern in self.patterns
        )


@dataclass
class Build:
    """The steps of a Dockerfile upon the root of this machine, of which nothing is changed.

    The root is an overlay in a mount namespace of its own: whatever is written lands in `folder`.
    Its base is this machine's system and not the image that FROM names.
    """

    folder: Path
    context: Path
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: {"HOME": "/root"})
    directory: str = "/"
    user: str = "root"

    def __post_init__(self) -> None:
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True)

    def sh(self, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a line in the root, where and as whom the Dockerfile says."""
        words = ["cd", self.directory]
        inside = f"{shlex.join(words)} && {command}"
        as_user = ["su", self.user, "-p", "-s", "/bin/sh", "-c", inside]
        mounted = " && ".join(
            [
                f"mount -t overlay overlay -o lowerdir=/,upperdir={self.folder}/upper,"
                f"workdir={self.folder}/work {self.folder}/root",
                *(f"mount --rbind /{name} {self.folder}/root/{name}" for name in ("dev", "proc")),
                shlex.join(["exec", "chroot", f"{self.folder}/root", *as_user]),
            ]
        )
        found = {"PATH": os.environ["PATH"], **self.arguments, **self.environment}
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mounted],
            env=found,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}\n{done.stdout[-3000:]}"
        return done

    def step(self, step: Instruction, given: dict[str, str]) -> None:
        if step.word == "RUN":
            self.sh(step.rest)
        elif step.word == "ARG":
            name, _, value = step.rest.partition("=")
            self.arguments[name] = given.get(name, value.strip('"'))
        elif step.word == "ENV":
            for word in shlex.split(step.rest):
                name, _, value = word.partition("=")
                path = self.environment.get("PATH", os.environ["PATH"])
                self.environment[name] = value.replace("$PATH", path)
        elif step.word == "WORKDIR":
            self.sh(f"mkdir -p {step.rest}")
            self.directory = step.rest
        elif step.word == "USER":
            self.user = step.rest
            self.environment["HOME"] = f"/home/{step.rest}"
        elif step.word == "COPY":
            self._copy(step)

    def _copy(self, step: Instruction) -> None:
        place = self.folder / "upper" / self.directory.lstrip("/")
        ignored, copied = Ignored(self.context / ".dockerignore"), list[str]()
        for name in self._files(step.sources):
            if name not in ignored:
                target = place / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.context / name, target)
                copied.append(name)
        owner = re.search(r"--chown=(\S+)", step.rest)
        if owner:
            self.sh(f"chown -R {owner[1]} .")

    def _files(self, sources: Sequence[str]) -> Iterator[str]:
        for source in sources:
            path = self.context / source
            found = path.rglob("*") if path.is_dir() else [path]
            yield from (str(one.relative_to(self.context)) for one in found if one.is_file())
