"""Helm: the split fields of values, charts, and what templates do with them."""
