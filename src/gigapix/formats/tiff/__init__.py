"""TIFF 6.0 and BigTIFF: from the header to the planes of an image."""
