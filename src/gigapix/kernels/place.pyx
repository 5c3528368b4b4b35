# cython: language_level=3, freethreading_compatible=True
"""Decompressed segments to pixels in their place: predictor, byte order, box, samples. The loops are in place.h.

Here every figure is checked, in Python's unbounded integers, before a pointer is made of it.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_SIMPLE, PyBUF_STRIDED, PyBUF_WRITABLE
from cpython.buffer cimport PyBuffer_Release, PyObject_GetBuffer
from libc.stdlib cimport free, malloc

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

cdef extern from "place.h" nogil:
    ctypedef struct place_job:
        const unsigned char *src
        unsigned char *dst
        unsigned char *scratch
        const Py_ssize_t *select
        Py_ssize_t[4] shape
        Py_ssize_t[4] strides
        Py_ssize_t height
        Py_ssize_t width
        Py_ssize_t skip
        Py_ssize_t unit
        Py_ssize_t components
        Py_ssize_t units
        int predictor
        int swap

    void place_all(const place_job *job)

_UNITS = (1, 2, 4, 8)


def place(src, dst, shape, interleaved, select, origin, predictor, swap, *, swap_unit=0):
    """Write a box of the decompressed segment `src` into `dst`, sample by sample.

    src: bytes of a segment of `shape` (depth, height, width) pixels of `interleaved` samples. It may end early, but
        not before the last byte that the box needs.
    dst: array of (samples, depth, height, width), of any strides, in native byte order, with the itemsize that the
        samples of `src` have: 1, 2, 4, 8, or up to 16 in units of those.
    select: which of the interleaved samples each sample of `dst` is.
    origin: (z, y, x) of the box in the segment, in pixels. Its size is that of `dst`.
    predictor: 1 none, 2 horizontal differencing, 3 floating point (units of 2, 4 or 8 bytes; `swap` then means
        nothing, as the planes are always in order from the highest byte).
    swap: True where the samples of `src` are not in native byte order.
    swap_unit: bytes that are swapped and differenced as one, where not a sample: a component of a complex sample.

    ValueError where an argument doesn't fit the others; then nothing was written.
    """
    cdef Py_buffer source, target
    PyObject_GetBuffer(src, &source, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(dst, &target, PyBUF_WRITABLE | PyBUF_STRIDED | PyBUF_FORMAT)
        try:
            _place(&source, &target, shape, interleaved, select, origin, predictor, swap, swap_unit)
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)


cdef int _place(
    Py_buffer *source, Py_buffer *target, shape, interleaved, select, origin, predictor, swap, swap_unit
) except -1:
    cdef place_job job
    cdef Py_ssize_t *samples
    cdef Py_ssize_t i
    depth, height, width = shape
    z, y, x = origin
    if target.ndim != 4:
        raise ValueError(f"the output has {target.ndim} dimensions, not 4 (samples, depth, height, width)")
    if target.format != NULL and target.format[0] in b"<>!":
        raise ValueError("the output is not in native byte order")
    size = [target.shape[i] for i in range(4)]
    item = target.itemsize
    unit = swap_unit or item
    if predictor not in (1, 2, 3):
        raise ValueError(f"there is no predictor {predictor}")
    if unit not in _UNITS or item % unit or item > 16 or (predictor == 3 and unit == 1):
        raise ValueError(f"samples of {item} bytes in units of {unit} with predictor {predictor} are not supported")
    if len(select) != size[0]:
        raise ValueError(f"{len(select)} samples are selected for an output of {size[0]}")
    if any(not 0 <= sample < interleaved for sample in select):
        raise ValueError(f"samples {tuple(select)} are not all among the {interleaved} of the segment")
    for start, length, whole in zip((z, y, x), size[1:], shape):
        if start < 0 or start + length > whole:
            raise ValueError(f"a box of {tuple(size[1:])} at {tuple(origin)} leaves the segment of {tuple(shape)}")
    if 0 in size:
        return 0
    pixel = interleaved * item
    if max(height, width * pixel) > PY_SSIZE_T_MAX:
        raise ValueError(f"a segment of {tuple(shape)} is beyond any memory")
    # What follows the last pixel of the box need not be there; with predictor 3, a pixel's bytes lie all over its row.
    first = (z * height + y) * width * pixel
    last_row = ((z + size[1] - 1) * height + y + size[2] - 1) * width * pixel
    needed = last_row + (width if predictor == 3 else x + size[3]) * pixel
    if needed > source.len:
        raise ValueError(f"the segment has {source.len} bytes and needs {needed}")

    samples = <Py_ssize_t *> malloc(len(select) * sizeof(Py_ssize_t))
    job.scratch = <unsigned char *> malloc(width * unit if predictor == 3 else 1)
    try:
        if samples == NULL or job.scratch == NULL:
            raise MemoryError
        for i in range(len(select)):
            samples[i] = select[i]
        job.src = <const unsigned char *> source.buf + <Py_ssize_t> first
        job.dst = <unsigned char *> target.buf
        job.select = samples
        for i in range(4):
            job.shape[i] = target.shape[i]
            job.strides[i] = target.strides[i]
        job.height, job.width, job.skip = height, width, x
        job.unit, job.components, job.units = unit, item // unit, interleaved * (item // unit)
        job.predictor, job.swap = predictor, bool(swap)
        with nogil:
            place_all(&job)
    finally:
        free(samples)
        free(job.scratch)
    return 0
