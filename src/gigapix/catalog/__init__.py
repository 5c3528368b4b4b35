"""The catalogue: every header of a bucket in one table, and images that open from it."""
