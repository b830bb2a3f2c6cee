"""Telling the bank's systems what happened: signed, again and again until they have it, never lost."""
