# cython: language_level=3, freethreading_compatible=True
"""TIFF's LZW. The loops are in lzw.h."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "lzw.h" nogil:
    Py_ssize_t lzw_decode(const unsigned char *src, Py_ssize_t n, unsigned char *dst, Py_ssize_t room, int lsb)


def decode(src, dst, *, bint lsb=False):
    """Decode the LZW stream `src` (TIFF 6.0, section 13) into the contiguous bytes `dst`; return the bytes written.

    Ends when `dst` is full, at the code EOI, or with the last whole code of `src`, whichever comes first. A stream
    that doesn't begin with a Clear code is read as if it did. `lsb` is for the old style, from before TIFF 6.0 (a
    stream that begins with a zero byte and an odd one): lowest bit first, and wider codes one code later.

    ValueError where a code is not in the table; `dst` then holds what was decoded up to there.
    """
    cdef Py_buffer source, target
    cdef Py_ssize_t written
    PyObject_GetBuffer(src, &source, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(dst, &target, PyBUF_WRITABLE)
        try:
            with nogil:
                written = lzw_decode(<const unsigned char *> source.buf, source.len,
                                     <unsigned char *> target.buf, target.len, lsb)
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)
    if written < 0:
        raise ValueError(f"the LZW code at byte {-1 - written} is not in the table")
    return written
