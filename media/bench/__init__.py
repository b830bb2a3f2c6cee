"""What it costs to forward a packet: ours and another relay's, on the same machine in the same run. Not used in service."""
