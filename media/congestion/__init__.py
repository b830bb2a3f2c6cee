"""How much one subscriber's path carries, and what to do with it: estimate, probes, pacing, allocation. See docs/congestion.md."""
