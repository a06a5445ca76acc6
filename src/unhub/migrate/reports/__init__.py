"""Reports of a plan: one renderer a file, each a pure function from a plan to text or bytes."""
