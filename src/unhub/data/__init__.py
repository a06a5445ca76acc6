"""Dated knowledge: what is true of registries as of a day, who said so, and how sure that is."""
