"""Dockerfiles as BuildKit reads them: lines, words, stages, and what they pull."""
