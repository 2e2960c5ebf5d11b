"""Protocols: how a number is measured, from `params/protocols.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.core.lazy import lazily

if TYPE_CHECKING:
    from segmodels.protocols.protocol import Protocol
    from segmodels.protocols.reading import load_protocol, load_protocols

_HOMES = {
    "Protocol": "protocol",
    "load_protocol": "reading",
    "load_protocols": "reading",
}

__all__ = [
    "Protocol",
    "load_protocol",
    "load_protocols",
]

__getattr__ = lazily(__name__, _HOMES)
