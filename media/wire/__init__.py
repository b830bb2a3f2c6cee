"""What goes over the wire: RTP, RTCP, payload headers, session descriptions, read strictly and written. S."""
