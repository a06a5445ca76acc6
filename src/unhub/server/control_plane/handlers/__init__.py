"""The operations of ECR Public's API, one file a noun: a function is found by its name, which is boto3's (``put_image``)."""
