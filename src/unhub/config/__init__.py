"""The settings: their types, and strict parsing of the text that holds them."""
