"""Addresses of files in repositories, at a branch or at a commit.

`…/resolve/main/…` names a branch: whoever owns it may put another file there tomorrow. The same
address with a commit instead of the branch always gives the same bytes, or none.
"""

from __future__ import annotations

import re

#: How hosts of repositories spell a branch (Hugging Face, GitHub, GitLab). Other words at this
#: place are tags or commits.
_BRANCH = r"(?:refs/heads/[^/]+|main|master)"
_PLACES = (
    re.compile(rf"(/(?:resolve|raw)/){_BRANCH}/"),
    re.compile(rf"^(https?://raw\.githubusercontent\.com/[^/]+/[^/]+/){_BRANCH}/"),
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_commit(text: str) -> bool:
    """Whether a text is the full name of a commit."""
    return bool(_COMMIT.fullmatch(text))


def names_branch(url: str) -> bool:
    """Whether an address follows a branch, so that what it serves may change."""
    return any(place.search(url) for place in _PLACES)


def at_revision(url: str, revision: str) -> str:
    """The address of the same file at a commit; unchanged if it follows no branch."""
    for place in _PLACES:
        url = place.sub(rf"\g<1>{revision}/", url, count=1)
    return url
