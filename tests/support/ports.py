"""Free ports of this machine."""

import socket


def free_tcp_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_udp_port(*hosts: str) -> int:
    """One that is free on all of these addresses now."""
    for _ in range(20):
        sockets: list[socket.socket] = []
        try:
            port = 0
            for host in hosts:
                sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[-1].bind((host, port))
                port = int(sockets[-1].getsockname()[1])
            return port
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise OSError("no port that is free on all of them")
