"""Files of the Hugging Face Hub, through its own library: its cache, its login, its settings.

`HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from segmodels.assets.addresses import is_commit
from segmodels.assets.retries import PASSING
from segmodels.core.settings import MIRROR
from segmodels.errors import PassingError, SegmodelsError

_ADDRESS = re.compile(r"https://huggingface\.co/([^/]+/[^/]+)/(?:resolve|raw)/([^/]+)/(.+)")


@dataclass(frozen=True)
class HubFile:
    """One file of a repository.

    Attributes:
        repository: owner and name.
        revision: branch, tag or commit.
        file: path in the repository.
    """

    repository: str
    revision: str
    file: str

    @classmethod
    def at(cls, address: str) -> HubFile | None:
        """The file behind an address; None if that is no address of the Hub."""
        found = _ADDRESS.fullmatch(address)
        return cls(*found.groups()) if found else None

    def cached(self) -> Path | None:
        """Where the cache of the Hub has it, or None."""
        from huggingface_hub import try_to_load_from_cache

        path = try_to_load_from_cache(self.repository, self.file, revision=self.revision)
        return Path(path) if isinstance(path, str) else None

    def download(self, again: bool = False) -> tuple[Path, str]:
        """Bring it into the cache of the Hub, unless it is there.

        Args:
            again: also if it is there.

        Returns:
            its path in the cache, and the commit that it belongs to.

        Raises:
            SegmodelsError: the Hub does not give it out; PassingError if it may later.
            OSError: the disk is full, or fails.
        """
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError

        # What the library's HTTP client raises on its own; which client depends on its version.
        transport: type[Exception] = HfHubHTTPError.__bases__[0]
        try:
            path = hf_hub_download(
                self.repository, self.file, revision=self.revision, force_download=again
            )
        except (OSError, transport) as error:
            raise self._refusal(error) from error
        found = Path(path)
        commit = found.parents[self.file.count("/")].name
        return found, commit if is_commit(commit) else ""

    def _refusal(self, error: Exception) -> Exception:
        """The error to raise: the disk's own, or one sentence about the Hub."""
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        if isinstance(error, LocalEntryNotFoundError):
            return PassingError(
                f"{self}: it is not in the cache of the Hub, and the Hub cannot be reached (no "
                f"network, or HF_HUB_OFFLINE is set). {_ELSE}"
            )
        if isinstance(error, HfHubHTTPError):
            status = error.response.status_code if error.response is not None else 0
            kind = PassingError if status in PASSING else SegmodelsError
            return kind(f"{self}: {_answer(error)} {_ELSE}")
        if isinstance(error, OSError) and error.errno is not None:
            return error
        return PassingError(f"{self}: cannot be downloaded ({error}). {_ELSE}")

    def __str__(self) -> str:
        return f"{self.file} of {self.repository} at {self.revision} on the Hugging Face Hub"


_ELSE = f"Or put the file into a folder and set {MIRROR} to it."


def _answer(error: Exception) -> str:
    """What the Hub answered, with the fix."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return "it wants a login: accept the terms on its page, then `hf auth login` or HF_TOKEN."
    if isinstance(error, RevisionNotFoundError):
        return "the repository has no such revision."
    if isinstance(error, EntryNotFoundError):
        return "the repository has no such file at this revision."
    if isinstance(error, RepositoryNotFoundError):
        return "no such repository, or a private one (then `hf auth login` or HF_TOKEN)."
    status = getattr(getattr(error, "response", None), "status_code", "no answer")
    return f"the Hub answered HTTP {status}."
