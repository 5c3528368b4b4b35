"""What a plan will cost, worked out from the header: how pixels are got at, memory, requests; and that in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gigapix.decode import expected_bytes
from gigapix.image.access import Access, access_of
from gigapix.image.window import Window

if TYPE_CHECKING:
    from gigapix.image.plan import ReadPlan


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What to expect of a plan. `ReadPlan` has the same names, which are explained there."""

    access: Access
    peak_bytes: int
    requests: int


def outlook(plan: ReadPlan) -> Outlook:
    """What to expect of a plan of `Image.plan`."""
    means, level = plan.means, plan.level
    access = access_of(level, means.memory * 3 // 4, most=means.workers, streams=beside(plan), block=means.memory // 8)
    if access.need > access.memory:
        return Outlook(access=replace(access, kind="opaque"), peak_bytes=-(-4 * access.need // 3), requests=0)
    busy = min(access.workers(means.workers), plan.segments)
    peak = min(busy * access.need + 2 * min(plan.nbytes, means.memory // 8), means.memory)
    requests = plan.segments
    if access.kind == "stream":
        # The rows above are read too; compressed they take less than they are worth.
        rows = min(plan.window.row_off + plan.window.height, level.segment[1])
        raw = expected_bytes(level.encoding, (level.segment[0], rows, level.segment[2]))
        requests *= max(-(-raw // means.window), 1)
        if means.file_size is not None:
            requests = min(requests, -(-means.file_size // means.window) + plan.segments)
    elif access.kind == "addressable":
        row = expected_bytes(level.encoding, (1, 1, level.segment[2]))
        requests = max(requests, -(-plan.nbytes // max(means.piece, row)))
    return Outlook(access=access, peak_bytes=peak, requests=requests)


def beside(plan: ReadPlan) -> int:
    """Segments of which a row of the image needs one each: those beside each other, of all planes."""
    from gigapix.image.plan import plan_read

    select = {
        axis: positions
        for axis, positions in plan.chosen.items()
        if plan.level.volume[0] == 1 or axis != plan.level.depth_axis
    }
    return plan_read(plan.level, Window(0, 0, plan.level.shape[-1], 1), None, select).segments  # type: ignore[arg-type]


def described(plan: ReadPlan) -> str:
    """A plan in a few lines."""
    found, means, level, window = outlook(plan), plan.means, plan.level, plan.window
    size = " x ".join(map(str, plan.shape))
    ways = {
        "addressable": "uncompressed, any rows are read alone",
        "chunked": "segments are decoded one by one",
        "stream": "rows are decoded one after the other",
        "opaque": "what must be held to decode it has no room",
    }
    lines = [
        f"read {plan.axes} {size} {level.dtype} ({amount(plan.nbytes)})",
        f"window: {window.width} x {window.height} pixels at column {window.col_off}, row {window.row_off}",
        f"access: {found.access.kind} ({ways[found.access.kind]})",
        f"segments: {plan.segments} of up to {level.segment[2]} x {level.segment[1]} pixels",
    ]
    if found.access.kind == "opaque":
        return "\n".join([*lines, f"memory: {amount(found.peak_bytes)} at least, not {amount(means.memory)}"])
    lines += [
        f"requests: at most {found.requests}",
        f"peak: {amount(found.peak_bytes)} of {amount(means.memory)}, in blocks",
    ]
    return "\n".join(lines)


def amount(size: int) -> str:
    """Bytes for people: ``64 MB``, in powers of 1024 as `Settings` takes them."""
    power = min(int(math.log(max(size, 1), 1024)), 4)
    return f"{size / 1024**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}" if size else "0 B"
