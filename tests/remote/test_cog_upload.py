"""A COG written to S3: one upload in parts, and none of it where it fails."""

import numpy as np
import pytest

import gigapix
from gigapix.pyramids import cog_target


def test_a_cog_in_s3(s3, tmp_path, monkeypatch):
    from obstore.store import S3Store

    monkeypatch.setattr(cog_target, "PART_BYTES", 5 << 20)  # S3's least
    store = S3Store(
        "data", endpoint=s3, region="us-east-1", skip_signature=True, virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 65536, (2000, 2000), np.uint16)
    gigapix.pyramid(pixels, tmp_path / "a.tif", codec="none").run()
    gigapix.pyramid(pixels, "cogs/whole.tif", store=store, codec="none").run()
    assert bytes(store.get("cogs/whole.tif").bytes()) == (tmp_path / "a.tif").read_bytes()

    def torn(writer, file=cog_target.TileWriter.file):
        yield from (piece for piece, _ in zip(file(writer), range(18), strict=False))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cog_target.TileWriter, "file", torn)
    with pytest.raises(gigapix.SourceError, match="No space"):
        gigapix.pyramid(pixels, "cogs/torn.tif", store=store, codec="none").run()
    assert [entry["path"] for batch in store.list("cogs") for entry in batch] == ["cogs/whole.tif"]
