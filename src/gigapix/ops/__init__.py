"""Reductions of a whole image, block by block: each gives the same answer whatever the blocks and their order."""
