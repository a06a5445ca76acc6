"""A client of any OCI registry: authentication, manifests, blobs, limits."""
