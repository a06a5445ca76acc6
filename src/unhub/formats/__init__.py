"""Formats: one module a kind of file that can hold image references; modules that start with ``_`` help them."""
