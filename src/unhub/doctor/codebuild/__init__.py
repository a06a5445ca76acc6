"""A CodeBuild project, read only: its role, privileged mode, image, buildspec and registry credential."""
