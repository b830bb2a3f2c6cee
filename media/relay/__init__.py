"""What becomes of a packet: who may have it, in which layer and slot, at which rate."""
