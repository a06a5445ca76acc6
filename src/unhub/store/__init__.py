"""What the mirror keeps, and where: blobs in a folder, metadata in SQL, both behind small protocols."""
