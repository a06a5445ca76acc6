"""The commands of ``unhub admin``, one noun a file."""
