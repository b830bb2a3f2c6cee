"""Recordings: the container, its keys and index, the store on disk, the recorder process and what feeds it (docs/recording.md)."""
