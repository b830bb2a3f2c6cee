"""Pictures of one camera for a check of a face or a document: a decoder process beside the media workers, and who asks it."""
