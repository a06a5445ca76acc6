"""Build logs: read, cleaned, matched with the known symptoms, and explained from the first true cause on."""
