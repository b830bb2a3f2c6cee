"""Reading a recording again: everything on one time line, and each track as a player or an export wants it."""
