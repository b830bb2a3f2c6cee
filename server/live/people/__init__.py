"""Who may come in, who leads, and how that goes from one to another."""
