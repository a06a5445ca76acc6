"""The operations API, ``/_unhub/``: what an operator asks a running mirror, and tells it."""
