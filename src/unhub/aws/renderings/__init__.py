"""The forms in which a permission is written down: one module a form."""
