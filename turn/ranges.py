"""Where a TURN relay must never send: every special-purpose range, and then everything else. S.

IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates). The last two ranges deny every address, so the
others matter only when somebody takes those two out; they stay for that day. What is allowed is allowed one address at a time, and
coturn looks at what is allowed first.
"""

import ipaddress
from collections.abc import Iterator

SPECIAL_IPV4 = (
    "0.0.0.0/8",  # this network; 0.0.0.0 reaches this machine
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared, behind carriers' NAT
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local, the clouds' metadata
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and the broadcast address
)
SPECIAL_IPV6 = (
    "::/128",  # unspecified; reaches this machine
    "::1/128",  # loopback
    "::/96",  # IPv4-compatible
    "::ffff:0:0/96",  # IPv4-mapped: every IPv4 address again
    "::ffff:0:0:0/96",  # IPv4-translated
    "64:ff9b::/96",  # NAT64: every IPv4 address again
    "64:ff9b:1::/48",  # NAT64, local
    "100::/64",  # discard
    "100:0:0:1::/64",  # dummy prefix
    "2001::/23",  # protocol assignments, Teredo, ORCHID, benchmarks
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4: every IPv4 address again
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
    "5f00::/16",  # segment routing
    "fc00::/7",  # unique local
    "fe80::/10",  # link-local
    "fec0::/10",  # site-local, of old
    "ff00::/8",  # multicast
)
EVERYTHING = ("0.0.0.0/0", "::/0")
DENIED = (*SPECIAL_IPV4, *SPECIAL_IPV6, *EVERYTHING)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def denied_networks() -> Iterator[Network]:
    for text in DENIED:
        yield ipaddress.ip_network(text)


def coturn_range(network: Network) -> str:
    """As coturn reads it: first and last address, written out; it knows no prefix lengths."""
    return f"{network[0]}-{network[-1]}" if network.num_addresses > 1 else str(network[0])
