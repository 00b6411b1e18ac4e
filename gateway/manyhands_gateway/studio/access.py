"""Who may use the studio: pages of its own origin, in a browser on this machine.

The peer alone proves nothing: any page that a browser on this machine shows can send requests here, and with a name of
its own that points to 127.0.0.1 even reads the answers. So the request must name a loopback host as its own, must come
from no proxy, and from no other page.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

#: What proxies and tunnels add. One on this machine may pass on requests of the whole world.
PROXY_HEADERS = frozenset({
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-host",
    "x-envoy-external-address", "true-client-ip", "cf-connecting-ip", "cf-ray", "cdn-loop", "fly-client-ip",
})  # fmt: skip
PROXY_PREFIX = "x-forwarded"
#: What browsers say of requests that the studio's own pages make, or that were typed into the address bar.
OWN_SITES = frozenset({"same-origin", "none"})
#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD"})


def find_fault(method: str, peer: str | None, headers: Mapping[str, str]) -> str | None:
    """Say why a request is refused; None where it may pass. `peer`: the address that the socket is connected to."""
    if not _is_loopback(peer or ""):
        return "the studio answers this machine alone"
    if any(name in PROXY_HEADERS or name.startswith(PROXY_PREFIX) for name in map(str.lower, headers)):
        return "the studio answers no proxies; open it on the machine that runs `manyhands dev`, at its own address"
    host = headers.get("Host", "")
    if not is_local(host):
        return "the studio answers under localhost, 127.0.0.1 and [::1] alone"
    return _find_foreign_page(method, host, headers)


def _find_foreign_page(method: str, host: str, headers: Mapping[str, str]) -> str | None:
    origin = headers.get("Origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "the studio answers no pages but its own"
    if headers.get("Sec-Fetch-Site", "none") not in OWN_SITES:
        return "the studio answers no pages but its own; type its address, or open it from the terminal"
    if method not in SAFE and origin is None:
        return "a request that changes something needs an Origin, as browsers send it"
    return None


def is_local(host: str) -> bool:
    """Tell whether a Host header names this machine by a name that nobody else can give to it."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if name is None or parts.netloc != host or "@" in host or parts.path or parts.query or parts.fragment:
        return False
    return name == "localhost" or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        known = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(known, "ipv4_mapped", None)
    return bool((mapped or known).is_loopback)
