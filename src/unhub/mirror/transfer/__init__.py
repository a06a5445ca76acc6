"""Moving a cache to a place without upstreams, as an OCI image layout (OCI image specification 1.1, image-layout.md)."""
