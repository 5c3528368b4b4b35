"""Formats: bytes to structure, without any I/O."""
