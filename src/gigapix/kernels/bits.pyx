# cython: language_level=3, freethreading_compatible=True
"""Packed samples of 1 to 64 bits to whole integers. The loops are in bits.h."""

from cpython.buffer cimport PyBUF_ND, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "bits.h" nogil:
    ctypedef struct bits_job:
        const unsigned char *src
        unsigned char *dst
        const unsigned char *widths
        Py_ssize_t period
        Py_ssize_t rows
        Py_ssize_t samples
        Py_ssize_t row_bytes
        Py_ssize_t item

    void bits_unpack(const bits_job *job)


def unpack(src, dst, bits, rows, samples_per_row):
    """Unpack `rows` rows of `samples_per_row` samples from `src` into `dst`, as unsigned integers.

    src: samples one behind the other, highest bit first; each row begins at a byte (TIFF 6.0, BitsPerSample). Bytes
        beyond the last row are not looked at.
    dst: contiguous array of rows * samples_per_row unsigned integers in native byte order, all of it is written.
    bits: width of each sample of a pixel, 1 to 64 and at most that of `dst`; repeated along the row.

    ValueError where an argument doesn't fit the others; then nothing was written.
    """
    cdef Py_buffer source, target
    PyObject_GetBuffer(src, &source, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(dst, &target, PyBUF_WRITABLE | PyBUF_ND)
        try:
            _unpack(&source, &target, bits, rows, samples_per_row)
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)


cdef int _unpack(Py_buffer *source, Py_buffer *target, bits, rows, samples) except -1:
    cdef bits_job job
    item = target.itemsize
    if item not in (1, 2, 4, 8):
        raise ValueError(f"the output has samples of {item} bytes, not 1, 2, 4 or 8")
    if not bits or min(bits) < 1 or max(bits) > 8 * item:
        raise ValueError(f"samples of {bits} bits don't go into {item} bytes")
    if rows < 0 or samples < 0 or rows * samples * item != target.len:
        raise ValueError(f"{rows} rows of {samples} samples don't fill an output of {target.len // item}")
    whole, rest = divmod(samples, len(bits))
    row_bytes = (whole * sum(bits) + sum(bits[:rest]) + 7) // 8
    if rows * row_bytes > source.len:
        raise ValueError(f"the segment has {source.len} bytes and needs {rows * row_bytes}")
    if target.len == 0:
        return 0
    widths = bytes(bits[:1] if len(set(bits)) == 1 else bits)
    job.src = <const unsigned char *> source.buf
    job.dst = <unsigned char *> target.buf
    job.widths, job.period = widths, len(widths)
    job.rows, job.samples, job.row_bytes, job.item = rows, samples, row_bytes, item
    with nogil:
        bits_unpack(&job)
    return 0
