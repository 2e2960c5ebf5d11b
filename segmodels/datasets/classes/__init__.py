"""Names, and colours where authors publish some, of datasets with too many classes to write here.

One class a line in `<name>.txt`, in the order of their numbers: `#rrggbb name`, or the name.
"""

from __future__ import annotations

from importlib import resources

Colour = tuple[int, int, int]


def class_lines(name: str) -> list[str]:
    """The lines of a list."""
    text = resources.files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return text.splitlines()


def class_names(name: str) -> tuple[str, ...]:
    """The classes of a list, by number."""
    return tuple(line.partition(" ")[2] if line[0] == "#" else line for line in class_lines(name))


def class_colours(name: str) -> tuple[Colour, ...]:
    """The colours of a list that has some, by number of the class."""
    return tuple(_colour(line) for line in class_lines(name))


def _colour(line: str) -> Colour:
    red, green, blue = bytes.fromhex(line[1:7])
    return red, green, blue
