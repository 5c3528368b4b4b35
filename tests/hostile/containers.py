"""Files that are no TIFF at all."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator

import imagecodecs
import numpy as np

from tests.hostile.case import GRAY, Case, fails


def cases() -> Iterator[Case]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("a.tif", bytes(100))
    colour = np.repeat(GRAY[0][..., None], 3, 2)
    numpy = io.BytesIO()
    np.save(numpy, GRAY)
    files = {
        "empty": b"",
        "jpeg": imagecodecs.jpeg8_encode(GRAY[0]),
        "jpeg2000": imagecodecs.jpeg2k_encode(GRAY[0]),
        "webp": imagecodecs.webp_encode(colour),
        "gif": b"GIF89a" + bytes(100),
        "png_header": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "bmp": b"BM" + bytes(100),
        "pdf": b"%PDF-1.7\n" + bytes(100),
        "zip": archive.getvalue(),
        "gzip": gzip.compress(bytes(100)),
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "json": b'{"zarr_format": 3}',
        "xml": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "npy": numpy.getvalue(),
        "text": b"II is how this text begins, and MM is not in it.",
        "zeros": bytes(100_000),
        "ones": b"\xff" * 100_000,
        "noise": np.random.default_rng(42).bytes(100_000),
        "bigtiff_mark_only": b"II+\0",
        "lfs_pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "tiff_in_mm_as_ii": b"MM*\0" + bytes(100),
        "jpegxr_container": b"II\xbc\x01" + bytes(100),
        "rw2": b"IIU\0" + bytes(100),
        "orf": b"IIRO" + bytes(100),
    }
    for name, data in files.items():
        yield fails(f"{name}_as_tiff", data)
