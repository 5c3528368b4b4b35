"""Segment bytes to pixels: one call decodes one tile or strip straight into its place in the output.

Nothing here does I/O or knows of files, windows or levels. What arrives is hostile: a segment is decompressed into at
most the bytes that it is worth, and an image codec's own header is read and checked before that codec is called.
"""

from gigapix.decode.segment import decode_into
from gigapix.decode.support import expected_bytes, supported

__all__ = ["decode_into", "expected_bytes", "supported"]
