"""Groovy by tokens, and the pipeline steps that name images."""
