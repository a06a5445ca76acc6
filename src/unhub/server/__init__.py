"""The edge: bytes in, bytes out; the only place where the mirror is wired together."""
