# cython: language_level=3, freethreading_compatible=True
"""Windows of an array, each to one value: sum, lowest, highest, one by rank, most frequent. The loops are in reduce.h.

Here every figure is checked before a pointer is made of it.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDED, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef extern from "reduce.h" nogil:
    enum:
        REDUCE_AXES
        REDUCE_RANK
        REDUCE_MODE
    ctypedef struct reduce_job:
        const char *source
        char *out
        void *scratch
        const void *marker
        const void *empty
        double rank
        int axes
        int operation
        Py_ssize_t[8] shape
        Py_ssize_t[8] factors
        Py_ssize_t[8] strides
        Py_ssize_t[8] steps

    int run "reduce"(const reduce_job *job, int kind, int size, int wide)

_OPERATIONS = ("sum", "min", "max", "rank", "mode")


def reduce(source, out, factors, operation, *, marker=None, empty=None, rank=0.0):
    """Reduce windows of `source`, from its first value on, each to one value of `out`.

    source: numbers of 8 to 64 bits, or floats of 32 or 64, with up to 8 axes, any strides, native byte order.
    out: of as many axes, each ``ceil(size / factor)`` long. For "sum" of the same kind, and as wide as 32 bits, or 64:
        4 bytes of 1, 2 and 4, 8 bytes of 4 and 8; of floats always 8. Else of the type of `source`. Not in `source`.
    factors: the size of a window along each axis, 1 or more. Windows at the far edges may be smaller.
    operation: "sum"; "min"; "max"; "mode", the lowest of the most frequent values; "rank", value number
        ``floor(rank * (n - 1))`` of the n values in order: 0.5 is the (lower) median.
    marker: a value of source's type, as an array of one, which is left out, as NaN is.
    empty: what a window becomes of which everything is left out: NaN or the marker; not for "sum", which is 0.

    ValueError where an argument doesn't fit the others; then nothing was written.
    """
    cdef Py_buffer given, target
    PyObject_GetBuffer(source, &given, PyBUF_STRIDED | PyBUF_FORMAT)
    try:
        PyObject_GetBuffer(out, &target, PyBUF_WRITABLE | PyBUF_STRIDED | PyBUF_FORMAT)
        try:
            _reduce(&given, &target, factors, operation, marker, empty, rank)
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&given)


cdef int _reduce(Py_buffer *source, Py_buffer *out, factors, operation, marker, empty, double rank) except -1:
    cdef reduce_job job
    cdef uint64_t marked, nothing  # aligned for any value
    cdef Py_ssize_t i, step
    cdef int kind = _kind(source), size = source.itemsize, wide = out.itemsize, found
    if _kind(out) != kind or (operation != "sum" and wide != size):
        raise ValueError(f"{operation} of {source.format.decode()!r} can't be {out.format.decode()!r}")
    if operation not in _OPERATIONS:
        raise ValueError(f"there is no operation {operation!r}")
    if not 1 <= source.ndim <= REDUCE_AXES or out.ndim != source.ndim or len(factors) != source.ndim:
        raise ValueError(f"{source.ndim} axes can't be reduced by {len(factors)} factors to {out.ndim} axes")
    if not 0 <= rank <= 1:
        raise ValueError(f"a rank lies between 0 and 1, not at {rank}")
    window = 1
    for i in range(source.ndim):
        if factors[i] < 1 or -(-source.shape[i] // factors[i]) != out.shape[i]:
            raise ValueError(f"axis {i}: {source.shape[i]} values in windows of {factors[i]} are not {out.shape[i]}")
        window *= min(factors[i], source.shape[i])
        job.shape[i], job.factors[i] = source.shape[i], min(factors[i], max(source.shape[i], 1))
        job.strides[i], job.steps[i] = source.strides[i], out.strides[i]
    _check_aligned(source)
    _check_aligned(out)
    if window == 0:
        return 0
    job.source, job.out = <const char *> source.buf, <char *> out.buf
    job.axes, job.operation, job.rank = source.ndim, _OPERATIONS.index(operation), rank
    job.marker = job.empty = job.scratch = NULL
    if marker is not None:
        _value(marker, kind, size, <char *> &marked)
        job.marker = &marked
    if empty is not None and operation != "sum":
        _value(empty, kind, wide, <char *> &nothing)
        job.empty = &nothing
    sorts = job.operation == REDUCE_RANK or job.operation == REDUCE_MODE
    if empty is None and operation != "sum" and (kind == c"f" or marker is not None or sorts):
        raise ValueError(f"{operation} needs a value for windows where there is nothing")
    if sorts:
        job.scratch = malloc(window * size)
        if job.scratch == NULL:
            raise MemoryError
    with nogil:
        found = run(&job, kind, size, wide)
    free(job.scratch)
    if not found:
        raise ValueError(f"{operation} of {source.format.decode()!r} can't be {out.format.decode()!r}")
    return 0


cdef int _value(array, int kind, Py_ssize_t size, char *value) except -1:
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_STRIDED | PyBUF_FORMAT)
    try:
        if _kind(&buffer) != kind or buffer.itemsize != size or buffer.len != size:
            raise ValueError("the marker must be one value of the array's type")
        memcpy(value, buffer.buf, size)
    finally:
        PyBuffer_Release(&buffer)
    return 0


cdef int _check_aligned(const Py_buffer *buffer) except -1:
    cdef Py_ssize_t i
    fits = <uintptr_t> buffer.buf % <size_t> buffer.itemsize == 0
    for i in range(buffer.ndim):
        fits = fits and buffer.strides[i] % buffer.itemsize == 0
    if not fits:
        raise ValueError("the array is not aligned to its values")
    return 0


cdef int _kind(const Py_buffer *buffer) except -1:
    """'u', 'i' or 'f'; other types and other than native byte order are refused."""
    cdef const char *text = buffer.format
    if text[0] in b"@=^":
        text += 1
    if text[0] != 0 and text[1] == 0:
        if text[0] in b"BHILQ":
            return c"u"
        if text[0] in b"bhilq":
            return c"i"
        if text[0] in b"fd":
            return c"f"
    raise ValueError(f"values of type {buffer.format.decode()!r} are not numbers in native byte order")
