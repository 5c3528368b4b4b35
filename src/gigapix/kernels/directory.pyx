# cython: language_level=3, freethreading_compatible=True
"""How a TIFF is built, from its first bytes: a key and a few numbers. The loops are in directory.h."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t
from libc.string cimport memset

cdef extern from "directory.h" nogil:
    enum:
        DIRECTORY_NUMBERS

    ctypedef struct directory_job:
        const unsigned char *data
        unsigned long long size
        const unsigned char *tags
        unsigned char *key
        size_t room, used
        int64_t *numbers
        unsigned char *blocks
        unsigned long long block

    int directory_walk(directory_job *job, int whole)

NUMBERS = DIRECTORY_NUMBERS


def walk(data, bint whole, tags, Py_ssize_t block, key, numbers, blocks):
    """Walk the directories in `data`, a file's first bytes; 0 where they are not ordinary (see directory.h).

    whole: whether the file has no further bytes.
    tags: 65536 bytes, what each tag is: 1 a value of the file's own, 2 a table, 4 read of every directory.
    block: bytes of a block.
    key: takes what says how the file is built. Files of the same key differ in nothing but what `numbers` holds, and
        the values and tables that it points at.
    numbers: takes `NUMBERS` of int64: directories, levels, values, big endian, BigTIFF; the header's end; (samples,
        height, width) of each level; (offset, width, height, segments) of each directory; (tag, type, count, place) of
        each value; and of each directory's tables of offsets and of byte counts, zeros where there is none.
    blocks: takes a byte for each block of `data`, 1 where a parser looks at it.

    Returns the bytes of `key`. ValueError where the buffers don't fit; then nothing was written.
    """
    cdef Py_buffer views[5]
    cdef directory_job job
    cdef int ordinary
    memset(views, 0, sizeof(views))
    try:
        for n, buffer in enumerate((data, tags)):
            PyObject_GetBuffer(buffer, &views[n], PyBUF_SIMPLE)
        for n, buffer in enumerate((key, numbers, blocks), 2):
            PyObject_GetBuffer(buffer, &views[n], PyBUF_WRITABLE)
        if views[1].len != 65536 or views[3].len < 8 * DIRECTORY_NUMBERS or block < 1:
            raise ValueError("a table of 65536 tags and room for the numbers are needed")
        if views[4].len * block < views[0].len:
            raise ValueError(f"{views[4].len} blocks of {block} bytes don't hold {views[0].len} bytes")
        job.data, job.size = <const unsigned char *> views[0].buf, views[0].len
        job.tags, job.numbers = <const unsigned char *> views[1].buf, <int64_t *> views[3].buf
        job.key, job.room, job.used = <unsigned char *> views[2].buf, views[2].len, 0
        job.blocks, job.block = <unsigned char *> views[4].buf, block
        memset(views[4].buf, 0, views[4].len)
        with nogil:
            ordinary = directory_walk(&job, whole)
        return job.used if ordinary else 0
    finally:
        for n in range(5):
            PyBuffer_Release(&views[n])
