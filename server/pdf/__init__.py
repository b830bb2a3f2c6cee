"""A PDF that the people of a session look at together, and that its customer signs."""
