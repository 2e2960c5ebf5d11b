"""Connections to a host, through the proxy that the environment names for it."""

from __future__ import annotations

import urllib.request
from urllib.parse import unquote, urlsplit

from urllib3 import PoolManager, ProxyManager, make_headers


def pool_for(url: str, connections: int) -> PoolManager:
    """Connections to a host, through the proxy that the environment names for it."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return PoolManager(maxsize=connections)
    user, _, password = urlsplit(proxy).netloc.rpartition("@")[0].partition(":")
    login = f"{unquote(user)}:{unquote(password)}"
    headers = make_headers(proxy_basic_auth=login) if user else None
    return ProxyManager(proxy, maxsize=connections, proxy_headers=headers)
