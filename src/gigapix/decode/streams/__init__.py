"""Segments too large to decode whole, as streams of rows: file bytes in small windows, pixels in rows, both bounded.

    feed (unframe) --> flow (decompress) --> rows (unfilter, and the tail that whole segments have) --> target

`gigapix.decode.cursor` is the door. Nothing here does I/O: what a cursor needs from the file it yields as ranges.
"""
