"""Shell scripts: a reader of our own, variables, and the images of container commands."""
