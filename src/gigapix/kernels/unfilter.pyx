# cython: language_level=3, freethreading_compatible=True
"""PNG's row filters undone. The loops are in unfilter.h."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "unfilter.h" nogil:
    Py_ssize_t unfilter_all(unsigned char *rows, unsigned char *previous, Py_ssize_t n, Py_ssize_t row_bytes, int bpp)


def unfilter(rows, previous, row_bytes, bpp):
    """Undo the filters of `rows` in place, and return how many rows are good.

    rows: whole rows one behind the other, each a filter byte (which stays) and `row_bytes` bytes.
    previous: the row above the first one, zeros at the top; becomes the last good row, for the next call. It must not
        overlap `rows`.
    bpp: bytes of a pixel, at least 1 (PNG specification, section 9.2): 1, 2, 3, 4, 6 or 8.

    A filter byte over 4 ends the good rows; the rows from there on are left as they are. ValueError where an argument
    doesn't fit the others; then nothing was written.
    """
    cdef Py_buffer target, above
    cdef Py_ssize_t n, size = row_bytes
    cdef int pixel = bpp if bpp in (1, 2, 3, 4, 6, 8) else 0
    if pixel == 0 or size < 1:
        raise ValueError(f"there are no rows of {row_bytes} bytes in pixels of {bpp}")
    PyObject_GetBuffer(rows, &target, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        PyObject_GetBuffer(previous, &above, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            if above.len != size or target.len % (size + 1):
                raise ValueError(f"{target.len} and {above.len} bytes are not rows of 1 + {row_bytes} and one above")
            n = target.len // (size + 1)
            with nogil:
                n = unfilter_all(<unsigned char *> target.buf, <unsigned char *> above.buf, n, size, pixel)
        finally:
            PyBuffer_Release(&above)
    finally:
        PyBuffer_Release(&target)
    return n
