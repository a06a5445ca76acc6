"""Template text inside other formats, masked by as many bytes."""
