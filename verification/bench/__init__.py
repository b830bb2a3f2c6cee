"""``tongping bench verify``: what a comparison of two pictures costs, ours and others' in one run."""
