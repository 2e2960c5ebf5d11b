"""Signatures of submissions, by minisign (extra: sign): Ed25519 keys in small text files.

Signing and checking need no network and no account. The library is `py-minisign`; files of the
program minisign are read and written alike.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from segmodels.core.files import naming, write_text
from segmodels.errors import SegmodelsError

#: The password of a secret key that has one.
PASSWORD = "SEGMODELS_SIGN_PASSWORD"

#: Of every public key of minisign.
_BEGIN = "RW"


def _minisign() -> Any:
    """The library, whose types are not here where it is not installed."""
    try:
        import minisign
    except ImportError:
        raise SegmodelsError(
            "signatures need the library py-minisign: pip install 'segmodels[sign]'"
        ) from None
    return minisign


def make_key(path: Path) -> Path:
    """Write a new secret key, readable by its owner alone, and its public one.

    Returns:
        the path of the public key, `<name>.pub`.

    Raises:
        SegmodelsError: one of the files is there already, or cannot be written.
    """
    public = path.with_name(f"{path.name}.pub")
    for file in (path, public):
        if file.exists():
            raise SegmodelsError(f"{file}: there already; a key is never replaced.")
    pair = _minisign().KeyPair.generate()
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(bytes(pair.secret_key) + b"\n")
    write_text(public, bytes(pair.public_key).decode() + "\n")
    return public


def sign(data: bytes, key: Path, comment: str) -> bytes:
    """The four lines of a signature.

    Args:
        data: what is signed.
        key: file of a secret key; where it has a password, `SEGMODELS_SIGN_PASSWORD` holds it.
        comment: signed along.

    Raises:
        SegmodelsError: the file is no secret key, or the password is missing or wrong.
    """
    library = _minisign()
    try:
        with library.SecretKey.from_bytes(_bytes(key)) as secret:
            if secret.is_encrypted():
                if PASSWORD not in os.environ:
                    raise SegmodelsError(f"{key}: it has a password; set {PASSWORD} to it.")
                secret.decrypt(os.environ[PASSWORD])
            signature = secret.sign(data, trusted_comment=comment)
    except ValueError as error:
        raise SegmodelsError(f"{key}: not used as a secret key of minisign ({error}).") from None
    return bytes(signature).rstrip(b"\n") + b"\n"


def check_signature(data: bytes, signature: bytes, key: str) -> str:
    """Check a signature with a public key.

    Args:
        data: what was signed.
        signature: its four lines.
        key: file of a public key, or the key itself as it stands in such a file (`RW…`).

    Returns:
        the key itself.

    Raises:
        SegmodelsError: it is no public key, or the signature is not of this data and key.
    """
    library, public = _minisign(), public_key(key)
    try:
        public.verify(data, library.Signature.from_bytes(signature))
    except ValueError as error:
        raise SegmodelsError(f"the signature is not of the key {key} ({error}).") from None
    return str(public.to_base64().decode())


def public_key(key: str) -> Any:
    """A public key, read.

    Raises:
        SegmodelsError: there is no such file, or it is no public key.
    """
    library = _minisign()
    try:
        if Path(key).is_file():
            return library.PublicKey.from_bytes(_bytes(Path(key)))
        if not key.startswith(_BEGIN):
            raise ValueError("there is no such file")
        return library.PublicKey.from_base64(key)
    except ValueError as error:
        raise SegmodelsError(
            f"--key {key}: expected the file of a public key of minisign, or the key itself, which "
            f"begins with {_BEGIN}: {error}."
        ) from None


def _bytes(path: Path) -> bytes:
    with naming(path):
        return path.read_bytes()
