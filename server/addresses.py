"""This machine's own addresses."""

import ipaddress
from collections.abc import Sequence

import ifaddr

MAX_ADDRESSES = 16
LOOPBACK = ("127.0.0.1", "::1")


def own_addresses() -> tuple[str, ...]:
    """Addresses that packets can come to, IPv4 first, loopback last; without link-local ones, which need a zone."""
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip)
            if not (address.is_link_local or address.is_multicast or address.is_unspecified):
                found.add(address)
    order = sorted(found, key=lambda address: (address.is_loopback, address.version, int(address)))
    return tuple(str(address) for address in order[:MAX_ADDRESSES])


def media_addresses(chosen: Sequence[str], announced: Sequence[str]) -> tuple[str, ...]:
    """What the media workers listen on: what is chosen, or everything.

    A wildcard becomes the machine's addresses of its version, unless other addresses are announced: browsers must be told
    where to come to, and an answer must leave from the address that was asked.
    """
    if not chosen:
        return own_addresses()
    if announced:
        return tuple(chosen)
    found: dict[str, None] = {}
    for host in chosen:
        wildcard = {"0.0.0.0": 4, "::": 6}.get(host)  # noqa: S104
        if wildcard is None:
            found[host] = None
        else:
            found.update(dict.fromkeys(own for own in own_addresses() if ipaddress.ip_address(own).version == wildcard))
    return tuple(found)


def outside_address() -> str:
    """One that other machines may reach this one at; loopback when there is none."""
    outside = [address for address in own_addresses() if not ipaddress.ip_address(address).is_loopback]
    return outside[0] if outside else LOOPBACK[0]
