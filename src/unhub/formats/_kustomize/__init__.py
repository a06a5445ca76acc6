"""Kustomizations: entries, patches, and how far a selector reaches."""
