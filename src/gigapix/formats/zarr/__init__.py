"""Zarr v2 and v3: hierarchies of groups and arrays, and what images there are in them."""
