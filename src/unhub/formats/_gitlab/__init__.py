"""GitLab CI: jobs, services with their host names, variables."""
