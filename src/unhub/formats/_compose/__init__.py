"""Compose files: services, builds, interpolation and the .env beside."""
