"""``tongping loadtest``: whole sessions against a running server, from pages' requests to their packets. docs/loadtest.md."""
