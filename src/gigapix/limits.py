"""Hard limits on what a file may claim, each with its reason.

A limit guards memory or time against a figure in the file that no honest writer produces. It is generous: the largest
honest file known, times a margin. Beyond it a `LimitError` is raised before anything is allocated.
"""

from typing import Final

MAX_IFD_ENTRIES: Final = 4096
"""Entries of one IFD. Real files stay under 200 (DNG, NDPI); tifffile stops at 4096 too. Guards the 2^64 of BigTIFF."""

MAX_IFDS: Final = 1 << 20
"""IFDs of one chain. Time series of half a million pages exist; walking a million takes seconds, not minutes."""

MAX_SUBIFDS: Final = 1024
"""SubIFDs of one IFD. A pyramid has a level per power of two; 1024 leaves room for any list of previews."""

MAX_TAG_BYTES: Final = 256 << 20
"""Bytes of one tag's value when it is asked for whole. The largest OME-XML known is 100 MB. Offsets are read by
slice."""

MAX_FACT_BYTES: Final = 1 << 20
"""Bytes of a tag's value that is read unasked: `MAX_TAG_BYTES` for the texts of `tags.LARGE`, this for the others. The
bits of 65535 samples take half of it, 21,000 ground control points all. Forty such tags over the same bytes must not
take forty times the file."""

MAX_TABLE_ENTRIES: Final = 1 << 32
"""Entries of TileOffsets. 2^32 tiles of 256 x 256 are a square of 16 million pixels: the surface of the Earth at 2.4
m."""

MAX_DIMENSION: Final = 1 << 31
"""Pixels along one axis. TIFF itself allows 2^32 - 1; every other reader stops at 2^31 - 1."""

MAX_SAMPLES: Final = 65535
"""Samples of a pixel: SamplesPerPixel is a SHORT. Hyperspectral cubes have thousands."""

MAX_SEGMENT_BYTES: Final = 1 << 42
"""Compressed bytes of one segment: 4 TiB. Strips of many gigabytes are read as streams; what can't be one is refused
where it does not fit the memory, and no more is fetched than the file has."""

SEGMENT_TRUST_BYTES: Final = 64 << 20
"""A segment that decodes to at most this is decoded whatever its compressed size: no harm can come of it. Above it the
compressed bytes must be enough to hold the decoded ones (`MAX_RATIO`)."""

MAX_RATIO: Final = 1 << 15
"""Decoded bytes for one compressed byte, at most, of a segment over `SEGMENT_TRUST_BYTES`. zstd's run-length block is
the extreme among honest coders (128 KiB in 4 bytes); deflate reaches 1032, LZW 1400, PackBits 64."""

MAX_XML_BYTES: Final = 256 << 20
"""Bytes of an XML text that is parsed. Entities are refused altogether (no "billion laughs")."""

MAX_ZARR_METADATA_BYTES: Final = 64 << 20
"""Bytes of one Zarr metadata document. Consolidated metadata of a thousand arrays take some MB."""

MAX_ZARR_NODES: Final = 1 << 16
"""Groups and arrays of a Zarr hierarchy that are looked at. A plate of 1536 wells with nine fields has 15,000."""

MAX_ZARR_LEVELS: Final = 64
"""Resolutions of one multiscale image: two to that power is more than an address."""

MAX_ZARR_AXES: Final = 20
"""Dimensions of an array: each becomes a letter. numpy stops at 32 (64 since 2.0)."""

MAX_ZARR_SAMPLES: Final = 1 << 62
"""Samples of one array: a number of a sample fits 64 bits."""

MAX_ZARR_CHUNKS: Final = 1 << 46
"""Chunks of one array: 2^31 x 2^31 pixels in chunks of 256 x 256. Nothing is kept of a chunk that is not read."""

MAX_SHARD_CHUNKS: Final = 1 << 22
"""Chunks of one shard, whose index of 16 bytes a chunk is read whole: 64 MB."""

MAX_PNG_CHUNKS: Final = 1 << 12
"""Chunks in front of a PNG's pixels. libpng keeps 1000."""

MAX_PNG_WALK: Final = 1 << 18
"""Chunks that are walked over to a frame of an animation. ffmpeg writes chunks of 4 KiB: these are 1 GiB."""

MAX_PNG_CHUNK_BYTES: Final = 64 << 20
"""Bytes of one chunk that is asked for whole. libpng stops at 8 MB; the largest honest ones are ICC profiles and XMP of
a few MB. Pixels are streamed."""

MAX_PNG_TEXT_BYTES: Final = 64 << 20
"""Bytes of all texts and the ICC profile of a PNG together, decompressed. Deflate makes 1032 bytes of one."""
