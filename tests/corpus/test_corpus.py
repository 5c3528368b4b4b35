"""Every image of the public corpus that tifffile reads, gigapix reads with equal pixels; others give typed errors."""

from __future__ import annotations

from pathlib import Path

from tests.corpus.table import report, sweep, tiff_files

TABLE = (
    "its StripByteCounts claims more entries than the file has bytes; tifffile takes the strip for absent, GDAL refuses"
)

NAMED = {
    "exampletiffs/ometiff_testdata/multiples/multi_image_node/TSeries-camp-005_Cycle00001_Ch1_000001.ome.tif": (
        "its OME-XML names three images, two of them wholly in other files, where they are image 0"
    ),
    "image-tiff/tests/fuzz_images/divide_by_zero/id=000009,sig=06,src=000149,op=havoc,rep=8": TABLE,
    "image-tiff/tests/fuzz_images/divide_by_zero/id=000035,sig=06,src=000337+000005,op=splice,rep=2": TABLE,
    "image-tiff/tests/fuzz_images/oom_crash/id=000045,sig=06,src=000266,op=havoc,rep=2": TABLE,
}
"""Files that tifffile reads and gigapix refuses, each with its reason. One that is read now must leave the list."""


def test_corpus(corpus: Path) -> None:
    rows = sweep(tiff_files([corpus]))
    bad = [row for row in rows if row.verdict in ("differs", "untyped", "harm")]
    assert not bad, report(bad, corpus)
    refused = {str(Path(row.path).relative_to(corpus)): row for row in rows if row.verdict == "error"}
    assert refused.keys() == NAMED.keys(), report([row for name, row in refused.items() if name not in NAMED], corpus)
    assert sum(row.verdict == "equal" for row in rows) > 600, report(rows, corpus)
