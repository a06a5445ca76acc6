"""The command line: one file a command. Each parses, calls what does the work, and prints."""
