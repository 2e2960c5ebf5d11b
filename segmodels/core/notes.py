"""One line for whoever watches, past any progress bar."""

from __future__ import annotations

import sys

from tqdm import tqdm

from segmodels.errors import without_credentials


def note(text: str) -> None:
    """Say on standard error what was found and what is done about it."""
    tqdm.write(f"note: {without_credentials(text)}", file=sys.stderr)
