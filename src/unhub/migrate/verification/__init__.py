"""Whether the image behind a new name is the one behind the old name, and what the answer rests on."""
