"""Co-browse in a live session: pages that are shared, their sockets, who may look, what is written down. What is decided is ``server/cobrowse``."""
