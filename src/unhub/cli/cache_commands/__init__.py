"""The commands of ``unhub cache``, one a file."""
