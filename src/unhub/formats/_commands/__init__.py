"""What is known of the commands that pull, build and name images: their flags and places."""
