"""Makefiles: lines, recipes and make's own variables."""
