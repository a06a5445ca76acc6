"""Measurements: side by side with the peers, ratios from one run."""
