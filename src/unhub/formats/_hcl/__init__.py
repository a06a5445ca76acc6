"""HCL by spans, in the shape of the YAML tree."""
