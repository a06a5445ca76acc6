"""How each client of a registry is told to use the mirror: one file a client, options in, files and notes out."""
