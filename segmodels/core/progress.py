"""How far a long task has come, for whoever watches."""

from __future__ import annotations

from collections.abc import Callable

#: Called with the number of images that are done, and of all.
Progress = Callable[[int, int], None]
