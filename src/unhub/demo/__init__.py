"""A stand-in for Docker Hub and ECR Public, for tests, `unhub demo-hub` and `make demo`."""
