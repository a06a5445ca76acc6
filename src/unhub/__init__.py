"""Leave Docker Hub: find, move and prove every container-image reference of a source tree."""

__version__ = "0.1.0"
