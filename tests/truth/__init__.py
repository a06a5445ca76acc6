"""One truth behind all doors: what one writes, every other shows."""
