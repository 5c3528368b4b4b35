"""The reversible 5/3 transform of JPEG 2000 (ISO 15444-1, F.3) in numpy: what a coarse level has to be."""

import numpy as np


def low(samples, axis):
    """The low-pass half along an axis of even length, extended symmetrically at its ends."""
    samples = np.moveaxis(samples, axis, -1)
    even, odd = samples[..., ::2], samples[..., 1::2]
    high = odd - (even + np.concatenate((even[..., 1:], even[..., -1:]), -1) >> 1)
    before = np.concatenate((high[..., :1], high[..., :-1]), -1)
    return np.moveaxis(even + (before + high + 2 >> 2), -1, axis)


def levels(image, side, count):
    """All resolutions of an image that is cut into chunks of `side`, beyond its edge like its last samples."""
    *front, height, width = image.shape
    grid = -(-height // side), -(-width // side)
    beyond = [(0, n * side - size) for n, size in zip(grid, (height, width), strict=True)]
    chunks = np.pad(image.astype(np.int64), [(0, 0)] * len(front) + beyond, "edge")
    chunks = chunks.reshape(*front, grid[0], side, grid[1], side)
    found = [image]
    for level in range(1, count + 1):
        chunks = low(low(chunks, -3), -1)
        sides = [n * (side >> level) for n in grid]
        whole = chunks.reshape(*front, *sides)
        found.append(whole[..., : -(-height >> level), : -(-width >> level)])
    return found
