"""Who counted evidence, and how it came into this project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

How = Literal["evaluated", "checked", "unknown"]

#: Of a signature whose key nobody gave.
NOT_CHECKED = "not checked"

HOWS: tuple[str, ...] = get_args(How)


@dataclass(frozen=True)
class Counted:
    """Who counted, as a part of the evidence itself; the folder of its file is no sign of it.

    Attributes:
        how: `evaluated` by this project from weights and images that were there; `checked` when
            it was taken over from somebody else (`segmodels evidence check --by`); `unknown` for
            files of earlier versions, which have no such field, and for whatever lacks it.
        by: name of the third party whose evidence was checked.
        url: where they published it.
        signed: what is known of the signature they gave it with: empty without one, `not checked`,
            or the public key of minisign that it was checked with.
    """

    how: How = "unknown"
    by: str = ""
    url: str = ""
    signed: str = ""

    @property
    def ours(self) -> bool:
        """Whether this project counted it itself."""
        return self.how == "evaluated" and not self.by

    @property
    def signature(self) -> str:
        """The signature in a few words; empty where there is none."""
        if not self.signed or self.signed == NOT_CHECKED:
            return self.signed and f"signature {NOT_CHECKED}"
        return "signed"

    @property
    def third_party(self) -> str:
        """Name of whoever else counted it; empty for our own."""
        return "" if self.ours else self.by or "not recorded"
