"""Sizes that the sockets, the ciphers and the forwarder agree about. S."""

PACKET_BYTES = 2048
"""One packet's memory, in or out."""
SEND_BATCH = 256
"""Packets that leave in one system call."""
SRTP_TRAILER_BYTES = 148
"""Room that protecting may need behind a packet (libsrtp's SRTP_MAX_SRTCP_TRAILER_LEN)."""
