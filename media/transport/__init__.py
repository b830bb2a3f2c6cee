"""How packets reach the relay and leave it: ICE, DTLS, SRTP, the sockets, the data channel."""
