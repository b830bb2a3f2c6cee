"""Identity documents on photographs: find the card, lay it flat, read it, and believe nothing that its own check digits deny."""
