"""Metadata in SQL: one schema for SQLite and PostgreSQL, through SQLAlchemy Core."""
