"""YAML and JSON by spans: a light tree over tree-sitter's, and the image positions in it."""
