# cython: language_level=3, freethreading_compatible=True
"""CRC-32C, the checksum of Zarr's shards. The loop is in crc32c.h."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint32_t

cdef extern from "crc32c.h" nogil:
    void crc32c_tables(uint32_t tables[8][256])
    uint32_t crc32c_run(uint32_t tables[8][256], const unsigned char *data, size_t size)

cdef uint32_t _tables[8][256]
crc32c_tables(_tables)


def crc32c(data):
    """The checksum of a buffer of bytes."""
    cdef Py_buffer source
    cdef uint32_t found
    PyObject_GetBuffer(data, &source, PyBUF_SIMPLE)
    try:
        with nogil:
            found = crc32c_run(_tables, <const unsigned char *> source.buf, source.len)
    finally:
        PyBuffer_Release(&source)
    return found
