"""Errors that are about memory, and about nothing that was asked for."""

from __future__ import annotations

import errno

#: How the C library, PyTorch, C++, OpenCV, Pillow and Python's threads say that memory has ended.
_WORDS = (
    "Cannot allocate memory",
    "can't allocate memory",
    "std::bad_alloc",
    "Insufficient memory",
    "Failed to allocate",
    "can't start new thread",
    "codec configuration error when writing",  # Pillow, where zlib got no memory to begin
)
#: The same of PyTorch's allocator, cut off behind the 15 letters that a C++ string holds by itself.
_CUT_OFF = "[enforce fail a"


def is_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory."""
    text = str(error)
    known = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    cut = text.rstrip().endswith(_CUT_OFF)
    return known or cut or any(words in text for words in _WORDS)


def blame_memory(error: BaseException) -> None:
    """Tell an error about memory from one about a file that was being read.

    Raises:
        MemoryError: it is about memory.
    """
    if is_of_memory(error):
        raise MemoryError(str(error)) from error
