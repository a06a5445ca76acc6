"""The live checks, one a module; each exports ``CHECK`` and takes everything that it needs from a ``Machine``."""
