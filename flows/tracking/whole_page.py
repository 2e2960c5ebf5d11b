"""A page that needs no file beside it, for MLflow, which shows it alone."""

from __future__ import annotations

import mimetypes
import os
import re
from base64 import b64encode
from pathlib import Path

from segmodels.leaderboard.links import is_file

_SOURCE = re.compile(r'(<img\b[^>]*\ssrc=")([^"]+)(")')


def whole_page(page: str, folder: Path) -> str:
    """The page with every picture of a file as a data URI, and links to files as plain text.

    MLflow gives a browser the text of a page as a blob, from which no relative address leads
    anywhere. The pages on disk stay small and keep their addresses.

    Args:
        page: HTML.
        folder: from which its addresses are seen. A picture that is not there keeps its address.
    """

    def inside(found: re.Match[str]) -> str:
        before, address, after = found.groups()
        return f"{before}{_data(folder, address) or address}{after}"

    return _SOURCE.sub(inside, page).replace("<html ", '<html class="alone" ', 1)


def _data(folder: Path, address: str) -> str:
    """The data URI of a picture; "" for what is no file."""
    path = Path(os.path.normpath(folder / address))  # `..` of a folder that is not there yet
    kind, _ = mimetypes.guess_type(path.name)
    if not (kind and kind.startswith("image/") and is_file(address) and path.is_file()):
        return ""
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"
