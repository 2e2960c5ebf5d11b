"""What to do about some of DVC's errors, which name the error and no remedy."""

from __future__ import annotations

from segmodels.core.settings import NO_GIT

_KILLED = (
    "The process was killed from outside. Most often the system had no memory left for it: "
    "give it more, or run fewer stages at a time."
)
_BROKE_OFF = (
    "The process ended inside of PyTorch or another library. Most often there was not enough "
    "memory: give it more, or run fewer stages at a time."
)
#: By signals, as DVC tells them with and without a shell between: SIGKILL, SIGSEGV, SIGABRT.
_ENDED = {
    **{f"exited with {code}": _KILLED for code in (-9, 137)},
    **{f"exited with {code}": _BROKE_OFF for code in (-11, 139, -6, 134)},
}
_HINTS = {
    "No space left on device": "The disk is full: free some space and run again; "
    "a half-written output does not count.",
    "failed to pull data": "DVC could not fetch its data: is the DVC remote there (a folder "
    "not mounted, a server not reachable)? `dvc remote list` shows where it looks.",
    "Checkout failed": "Files are missing from the DVC cache: `dvc pull` fetches them if the DVC "
    "remote is there; otherwise remove the stage's outputs and run again.",
    "is not a git repository": f"It is a copy without .git (a zip download?): run `{NO_GIT}` in "
    "it, or clone the repository.",
    "missing data 'source'": "An input of this stage does not exist; "
    "run the stage that makes it, or `dvc pull`.",
    **_ENDED,
}


def hints(text: str) -> list[str]:
    """The remedy for the first error that is known in what DVC said; none for others."""
    return [hint for sign, hint in _HINTS.items() if sign in text][:1]
