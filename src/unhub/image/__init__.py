"""The nouns that every part of unhub shares: pure values, no input or output."""
