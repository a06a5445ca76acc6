"""GitHub Actions: jobs, steps, expressions, and the values they take."""
