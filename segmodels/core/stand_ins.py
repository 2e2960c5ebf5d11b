"""What lies in a file's place: a version control system's pointer, or a page for people."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from segmodels.errors import SegmodelsError

HEAD = 4096

#: The first tag of a page, behind what may stand in front of it.
PAGE = re.compile(
    r"(<!--.*?-->\s*|<\?xml.*?\?>\s*)*<(!doctype html|html|head|body|title|script|meta)\b",
    re.I | re.S,
)

#: The first line of Git LFS, by the three names it had.
POINTER = re.compile(
    rb"version https?://(git-lfs\.github\.com/spec|hawser\.github\.com/spec|git-media\.io)/v/?\d"
)


def refuse_endless(path: Path) -> None:
    """Refuse a pipe or a device, of which reading may never end.

    Raises:
        SegmodelsError: it is one.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SegmodelsError(f"{path}: a pipe or a device, no file.")


def stand_in(path: Path, what: str) -> str | None:
    """What a text that should describe something is instead, and what helps; None if not clear.

    Args:
        path: the file.
        what: what it should be, in the plural.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return f"is empty (0 bytes), not {what}. Download it again."
    text = text_of(head)
    return pointer(path, head, what) or (page(text, what) if text is not None else None)


def pointer(path: Path, head: bytes, what: str = "the weights") -> str | None:
    """Small files that stand beside or in place of a real one."""
    size = path.stat().st_size
    if head.startswith(b"\0\5\x16\7"):
        return f"is macOS's companion of a file, not {what}: give the one whose name lacks `._`."
    if POINTER.match(head):
        stated = re.search(rb"^size (\d+)", head, re.MULTILINE)
        real = f" of {stated[1].decode()} bytes" if stated else ""
        return (
            f"is a pointer of Git LFS ({size} bytes), not {what}{real}: run "
            f"`git lfs pull` in its repository, or download the file itself."
        )
    if re.match(rb"(\.\./)*(\.git)?/?annex/objects/", head):
        return f"is a pointer of git-annex ({size} bytes), not {what}: run `git annex get`."
    if re.match(rb"(md5: |outs:\s)", head) and b"md5:" in head:
        return f"is a pointer of DVC ({size} bytes), not {what}: run `dvc pull`."
    return None


def page(text: str, what: str = "weights") -> str | None:
    """A web page."""
    start = text.lstrip("\ufeff \t\r\n")
    if not PAGE.match(start):
        return None
    title = re.search(r"<title[^>]*>(.*?)</title>", start, re.I | re.S)
    named = f" titled {printable(title[1])!r}" if title and title[1].strip() else ""
    return (
        f"is a web page{named} (HTML), not {what}: the address gave a page for people, such "
        f"as a login, a confirmation or an error. Download the file that the page offers."
    )


def text_of(head: bytes) -> str | None:
    """The letters in the beginning of a file, as UTF-8 or what Windows writes; None if no text."""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a letter cut in two is no reason
            return None
        text = head[: error.start].decode("utf-8")
    odd = sum(not (letter.isprintable() or letter in "\r\n\t\f\ufeff") for letter in text)
    return text if odd == 0 else None


def printable(text: str) -> str:
    """One line of at most 80 letters, without what a terminal would take for a command."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:80]
