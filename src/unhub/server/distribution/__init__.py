"""The edge of the registry: ``/v2/`` of the OCI distribution specification 1.1, as a plain ASGI callable."""
