"""The evidence of a case: blobs that are encrypted, tied to their case, and gone when its key is."""
