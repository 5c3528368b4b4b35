# cython: language_level=3, freethreading_compatible=True
"""Counts of values and sums without rounding, in one pass. The loops are in counts.h.

`values` are arrays of one or two dimensions, of any strides, in native byte order: a band of a chunky block as it lies
there.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDED_RO, PyBUF_WRITABLE
from cpython.buffer cimport PyBuffer_Release, PyObject_GetBuffer
from libc.float cimport DBL_MAX
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

cdef extern from "counts.h" nogil:
    ctypedef struct counts_view:
        const unsigned char *data
        Py_ssize_t rows
        Py_ssize_t columns
        Py_ssize_t row_stride
        Py_ssize_t stride

    ctypedef struct counts_total:
        uint64_t low
        uint64_t high

    ctypedef struct counts_squares:
        uint64_t low
        uint64_t high
        uint64_t top

    ctypedef struct counts_moments:
        int64_t valid
        int64_t negative
        int64_t positive
        double low
        double high
        uint64_t lowest
        uint64_t highest
        counts_total[2048] total
        counts_squares[2048] squares

    void counts_8(const counts_view *view, int64_t *counts, Py_ssize_t samples, int sign)
    void counts_16(const counts_view *view, int64_t *counts, int sign)
    void counts_bins_f4(const counts_view *view, const double *edges, Py_ssize_t n, int64_t *counts, const double *no)
    void counts_bins_f8(const counts_view *view, const double *edges, Py_ssize_t n, int64_t *counts, const double *no)
    void counts_bins_i4(const counts_view *view, const double *edges, Py_ssize_t n, int64_t *counts, const double *no)
    void counts_bins_u4(const counts_view *view, const double *edges, Py_ssize_t n, int64_t *counts, const double *no)
    void counts_moments_f4(const counts_view *view, counts_moments *m, const float *nodata)
    void counts_moments_f8(const counts_view *view, counts_moments *m, const double *nodata)
    void counts_moments_integer(const counts_view *view, counts_moments *m, int bytes, int sign, const uint64_t *nodata)


def count8(values, counts):
    """Count samples of 8 bits: ``counts[i]`` grows by how often the type's lowest value plus i occurs.

    counts: 256 of int64, contiguous.
    """
    _count(values, counts, 1, False)


def count16(values, counts):
    """As `count8`, of samples of 16 bits: 65536 counts."""
    _count(values, counts, 2, False)


def count8_interleaved(values, counts):
    """As `count8`, of all samples of chunky pixels at once.

    values: (pixels, samples), C-contiguous. counts: (samples, 256).
    """
    _count(values, counts, 1, True)


def count_bins(values, const double[::1] edges, int64_t[::1] counts, nodata=None):
    """Count numbers in bins: ``counts[i]`` grows by how many lie in ``edges[i] <= value < edges[i + 1]``, the last bin
    with its end. Numbers outside, NaN, and what equals `nodata`, a number of their type, are left out.

    values: float32, float64, int32 or uint32. edges: finite, rising, and more or less equally far apart.
    """
    cdef Py_buffer source
    cdef counts_view view
    cdef double marker = 0
    cdef const double *no = NULL
    cdef Py_ssize_t bins = counts.shape[0]
    cdef int kind, item
    if bins < 1 or edges.shape[0] != bins + 1 or not edges[0] < edges[bins] or edges[bins] - edges[0] > DBL_MAX:
        raise ValueError(f"{edges.shape[0]} edges for {bins} bins, or not finite and rising")
    PyObject_GetBuffer(values, &source, PyBUF_STRIDED_RO | PyBUF_FORMAT)
    try:
        view, kind, item = _view(&source), _kind(&source), source.itemsize
        if nodata is not None:
            marker, no = nodata, &marker
        with nogil:
            if kind == b"f":
                counts_bins_f4(&view, &edges[0], bins, &counts[0], no)
            elif kind == b"d":
                counts_bins_f8(&view, &edges[0], bins, &counts[0], no)
            elif item == 4 and (kind == b"i" or kind == b"l"):
                counts_bins_i4(&view, &edges[0], bins, &counts[0], no)
            elif item == 4 and (kind == b"I" or kind == b"L"):
                counts_bins_u4(&view, &edges[0], bins, &counts[0], no)
            else:
                with gil:
                    raise ValueError(f"the values are {source.format.decode()!r}, not numbers of 32 bits, or floats")
    finally:
        PyBuffer_Release(&source)


def moments(values, nodata=None):
    """What there is to know of real numbers without rounding: (valid, min, max, -inf's, +inf's, sum, sum of squares).

    values: float32, float64, and integers of 32 and 64 bits. NaN and what equals `nodata` are left out, the rest is
        `valid`; of float32, `nodata` is rounded to it, and of integers, one that no sample can be leaves none out.
    Min and max are ints of integers, and floats of floats (never -0.0); inf and -inf where nothing is valid.
    The infinities are counted apart and are in neither sum. The sums are in units of 2**-1074 and 2**-2148, in which
    every double is whole (`gigapix.ops.exact`).
    """
    cdef Py_buffer source
    PyObject_GetBuffer(values, &source, PyBUF_STRIDED_RO | PyBUF_FORMAT)
    try:
        return _moments(&source, nodata)
    finally:
        PyBuffer_Release(&source)


cdef int _count(values, counts, int item, bint interleaved) except -1:
    cdef Py_buffer source, target
    PyObject_GetBuffer(values, &source, PyBUF_STRIDED_RO | PyBUF_FORMAT)
    try:
        PyObject_GetBuffer(counts, &target, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
        try:
            _count_buffers(&source, &target, item, interleaved)
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)
    return 0


cdef int _count_buffers(Py_buffer *source, Py_buffer *target, int item, bint interleaved) except -1:
    cdef counts_view view = _view(source)
    cdef Py_ssize_t samples = view.columns if interleaved else 1
    cdef int kind = _kind(source), sign
    if source.itemsize != item or kind not in b"?bBhH":
        raise ValueError(f"the values are {source.format.decode()!r}, not integers of {8 * item} bits")
    if target.itemsize != 8 or _kind(target) not in b"lq":
        raise ValueError("the counts are not int64")
    if target.len != 8 * (samples << 8 * item):
        raise ValueError(f"there are {target.len // 8} counts, not {samples << 8 * item}")
    if interleaved:
        if source.ndim != 2 or view.stride != 1 or view.row_stride != samples:
            raise ValueError("the pixels are not contiguous, (pixels, samples)")
        view.columns, view.rows = view.rows * samples, 1
    if view.rows == 0 or view.columns == 0:
        return 0
    sign = kind in b"bh"
    with nogil:
        if item == 1:
            counts_8(&view, <int64_t *> target.buf, samples, sign)
        else:
            counts_16(&view, <int64_t *> target.buf, sign)
    return 0


cdef _moments(Py_buffer *source, nodata):
    cdef counts_view view = _view(source)
    cdef int kind = _kind(source), item = source.itemsize, sign = kind in b"ilq"
    cdef bint real = kind in b"fd", marked = nodata is not None
    cdef double double_nodata = 0
    cdef float float_nodata
    cdef uint64_t integer_nodata = 0
    cdef object low, high, lowest, one = 1, size = 8 * item  # Python's integers: C's would overflow, or become doubles
    if kind not in b"fdiIlLqQ":
        raise ValueError(f"the values are {source.format.decode()!r}, not numbers of 32 or 64 bits")
    if marked and real:
        double_nodata = nodata
    elif marked:
        lowest = -(one << (size - 1)) if sign else 0
        marked = nodata - nodata == 0 and int(nodata) == nodata and lowest <= nodata < lowest + (one << size)
        if marked:
            integer_nodata = int(nodata) & 0xFFFFFFFFFFFFFFFF
    float_nodata = <float> double_nodata
    cdef counts_moments *m = <counts_moments *> calloc(1, sizeof(counts_moments))
    if m == NULL:
        raise MemoryError
    try:
        with nogil:
            if not real:
                counts_moments_integer(&view, m, item, sign, &integer_nodata if marked else NULL)
            elif item == 4:
                counts_moments_f4(&view, m, &float_nodata if marked else NULL)
            else:
                counts_moments_f8(&view, m, &double_nodata if marked else NULL)
        low, high = float("inf"), float("-inf")
        if real:
            low, high = m.low + 0.0, m.high + 0.0
        elif m.valid and sign:
            low, high = <int64_t> m.lowest, <int64_t> m.highest
        elif m.valid:
            low, high = m.lowest, m.highest
        # Bin 0 and 1 hold units of the smallest float of the type: bin 0 has the subnormal ones.
        return (m.valid, low, high, m.negative, m.positive, *_sums(m, 1074 if not real else 925 if item == 4 else 0))
    finally:
        free(m)


cdef _sums(const counts_moments *m, int unit):
    cdef int i, shift
    total = squares = 0
    for i in range(2048):
        shift = unit + max(i - 1, 0)
        if m.total[i].low or m.total[i].high:
            total += (<object> <int64_t> m.total[i].high << 64 | m.total[i].low) << shift
        if m.squares[i].low or m.squares[i].high or m.squares[i].top:
            high = <object> m.squares[i].top << 64 | m.squares[i].high
            squares += (high << 64 | m.squares[i].low) << 2 * shift
    return total, squares


cdef int _kind(const Py_buffer *buffer) except -1:
    """The letter of the type; other than native byte order is refused."""
    cdef const char *text = buffer.format
    if text[0] in b"@=^":
        text += 1
    if text[0] == 0 or text[1] != 0:
        raise ValueError(f"values of type {buffer.format.decode()!r} are not numbers in native byte order")
    return text[0]


cdef counts_view _view(const Py_buffer *buffer) except *:
    """One row where the values lie evenly."""
    cdef counts_view view
    if buffer.ndim not in (1, 2):
        raise ValueError(f"the values have {buffer.ndim} dimensions, not 1 or 2")
    view.data = <const unsigned char *> buffer.buf
    view.rows = buffer.shape[0] if buffer.ndim == 2 else 1
    view.columns = buffer.shape[buffer.ndim - 1]
    view.stride = buffer.strides[buffer.ndim - 1]
    view.row_stride = buffer.strides[0] if buffer.ndim == 2 else 0
    return view
