"""The rules of ECR Public's API: registries, repositories and what belongs to them. Knows no HTTP."""
