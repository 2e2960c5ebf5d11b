"""One file to fetch, as `params/weights.yaml` and `params/datasets.yaml` list it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, InstanceOf, NonNegativeInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.assets.addresses import at_revision, names_branch
from segmodels.assets.pins import Commit, Pin, Sha256
from segmodels.core.entry import Entry, Several

#: Source of a checksum: the file's authors, or this project, from a file that was here.
Voucher = Literal["authors", "us"]


def _plain(name: str) -> str:
    if name in ("", ".", "..") or set(name) & set('/\\*?[]"'):
        raise ValueError("expected a file name without folders")
    return name


class RemoteFile(Entry):
    """One file to fetch.

    Attributes:
        name: file name, also looked for in the local mirror.
        url: public address.
        sha256: accepted hex digests. Empty when the address serves an archive that is packed
            on request (its bytes are not promised): then the content is verified after decoding.
        sha256_prefix: first digits of the sha256, where its authors publish only those (in the name
            of the file). They detect a damaged or another file, not one made to deceive; the whole
            sum is noted at the first download.
        sha1: hex digest, where the source publishes only that. It detects a damaged or another
            file, not one made to deceive.
        bytes: approximate size for messages, if known.
        sha256_from: source of the digests: published by the file's `authors`, or computed by `us`
            from a file that was here.
        revision: commit to take where `url` names a branch.
        pin: checksum at its first download (`segmodels.assets.pins`), if there was one.
    """

    name: Annotated[str, AfterValidator(_plain)]
    url: Annotated[
        str, Field(pattern=r"^https?://.*$", title="an address with https:// or http://")
    ]
    sha256: Several[Sha256] = ()
    sha256_prefix: Annotated[
        str, Field(pattern=r"^([0-9a-f]{8,63})?$", title="first digits of a sha256 (8 or more)")
    ] = ""
    sha1: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$", title="a sha1 (40 digits 0-9a-f)")] = (
        ""
    )
    bytes: NonNegativeInt | None = None
    sha256_from: Voucher = "us"
    revision: Commit = ""
    pin: SkipJsonSchema[InstanceOf[Pin] | None] = None

    def problems(self) -> Iterator[str]:
        """A source of no digest, or a revision of an address that names no branch."""
        for whole in (*self.sha256, *((self.pin.sha256,) if self.pin else ())):
            if not whole.startswith(self.sha256_prefix):
                yield f"'sha256_prefix' is {self.sha256_prefix}, but its sha256 is {whole}"
        if "sha256_from" in self.model_fields_set and not self.sha256:
            yield "'sha256_from' says who gives the sha256; there is none"
        if self.revision and not names_branch(self.url):
            yield "'revision' is for a 'url' that names a branch"

    @property
    def accepted(self) -> tuple[str, ...]:
        """The sha256 it may have: the registered ones, else the one that was noted."""
        return self.sha256 or ((self.pin.sha256,) if self.pin else ())

    @property
    def address(self) -> str:
        """Where to fetch it: at its revision if one is known."""
        revision = self.revision or (self.pin.revision if self.pin else "")
        return at_revision(self.url, revision) if revision else self.url
