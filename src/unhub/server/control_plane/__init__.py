"""The AWS-shaped edge: ECR Public's control plane and a small STS, bytes in and bytes out."""
