"""Co-browse: what of a customer's page leaves the server, and what staff may do in it. ``docs/cobrowse.md``."""
