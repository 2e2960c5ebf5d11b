"""An Atom feed (RFC 4287) of verdicts that changed, commit by commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as Xml

from segmodels.core.git import Commit, commits_of, content_at
from segmodels.errors import SegmodelsError
from segmodels.leaderboard.history.change import Change, changes
from segmodels.leaderboard.history.published import PublishedBoard, read_board

#: Newest entries that a feed holds, and commits that are looked at for them.
ENTRIES = 100
COMMITS = 200

_ATOM = "http://www.w3.org/2005/Atom"


def verdict_changes(board: Path) -> Iterator[tuple[Commit, Change]]:
    """Verdicts that changed, newest first; a commit whose board nobody reads any more ends it.

    Args:
        board: `leaderboard.json` in a git repository.

    Raises:
        SegmodelsError: it is in none.
    """
    found = commits_of(board)[:COMMITS]
    newer: PublishedBoard | None = None
    for later, commit in zip([None, *found], found, strict=False):
        try:
            older = read_board(content_at(board, commit.sha), commit.sha[:10])
        except SegmodelsError:
            return
        if newer is not None and later is not None:
            for change in changes(older.rows, newer.rows):
                if change.tells_a_verdict:
                    yield later, change
        newer = older


def render_feed(found: Iterable[tuple[Commit, Change]], site: str = "") -> str:
    """The feed as XML.

    Args:
        found: newest first; `ENTRIES` of them enter.
        site: web address of the folder of the board, which entries link to.
    """
    Xml.register_namespace("", _ATOM)
    feed = Xml.Element(f"{{{_ATOM}}}feed")
    address = site.rstrip("/") + "/leaderboard.html" if site else ""
    entries = [entry for entry, _ in zip(found, range(ENTRIES), strict=False)]
    newest = entries[0][0].time.isoformat() if entries else "1970-01-01T00:00:00+00:00"
    _add(feed, "title", "segmodels: verdicts that changed")
    _add(feed, "id", uuid5(NAMESPACE_URL, f"segmodels {site}").urn)
    _add(feed, "updated", newest)
    author = Xml.SubElement(feed, f"{{{_ATOM}}}author")
    _add(author, "name", "segmodels")
    if address:
        Xml.SubElement(feed, f"{{{_ATOM}}}link", href=address)
    for commit, change in entries:
        _entry(feed, commit, change, address)
    Xml.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(feed, "unicode") + "\n"


def _entry(feed: Xml.Element, commit: Commit, change: Change, address: str) -> None:
    row, entry = change.row, Xml.SubElement(feed, f"{{{_ATOM}}}entry")
    _add(entry, "title", f"{row.page}: {change.words}")
    _add(entry, "id", uuid5(NAMESPACE_URL, f"{commit.sha} {row.page}").urn)
    _add(entry, "updated", commit.time.isoformat())
    if address:
        Xml.SubElement(entry, f"{{{_ATOM}}}link", href=f"{address}#row={row.page}")
    words = [f"{row.model}, {row.dataset or 'no dataset'}, {row.metric}.", row.reason]
    _add(entry, "summary", " ".join(filter(None, [*words, f"Commit {commit.sha[:10]}."])))


def _add(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, f"{{{_ATOM}}}{name}").text = _printable(text)


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
