"""Adapters: what a source sends, read into typed values. Pure: no framework, no database, never an exception for bad
data."""
