"""Zarr v3 views of images as they are: a group of arrays whose chunks are decoded when they are read."""
