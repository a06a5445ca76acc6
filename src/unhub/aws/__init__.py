"""ECR Public as its customers meet it: policies, the login, limits and prices."""
