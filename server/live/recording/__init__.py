"""Recording a live session (双录): with whose consent, what of whom, and what everybody is told of it."""
