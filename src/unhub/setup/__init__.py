"""The login to ECR Public, inserted into each CI's files."""
