# cython: language_level=3, freethreading_compatible=True
"""TIFF's LZW. The loops are in lzw.h."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc

cdef extern from "lzw.h" nogil:
    enum: LZW_MSB, LZW_LSB, LZW_GUESS, LZW_MORE, LZW_END, LZW_FAULT
    ctypedef struct lzw_state:
        uint64_t taken
        uint64_t clear
        uint64_t since
        uint64_t fault
        uint32_t order
        uint32_t status
        uint32_t kept
    void lzw_start(lzw_state *s, int order, unsigned shift)
    Py_ssize_t lzw_run(lzw_state *s, const unsigned char *src, Py_ssize_t n, unsigned char *dst, Py_ssize_t room,
                       Py_ssize_t *used)

STATE_BYTES = sizeof(lzw_state)
MSB, LSB, GUESS = LZW_MSB, LZW_LSB, LZW_GUESS
MORE, END, FAULT = LZW_MORE, LZW_END, LZW_FAULT


def decode(src, dst, *, bint lsb=False):
    """Decode the LZW stream `src` (TIFF 6.0, section 13) into the contiguous bytes `dst`; return the bytes written.

    Ends when `dst` is full, at the code EOI, or with the last whole code of `src`, whichever comes first. A stream
    that doesn't begin with a Clear code is read as if it did. `lsb` is for the old style, from before TIFF 6.0 (a
    stream that begins with a zero byte and an odd one): lowest bit first, and wider codes one code later.

    ValueError where a code is not in the table; `dst` then holds what was decoded up to there.
    """
    cdef Py_buffer source, target
    cdef Py_ssize_t written, used
    cdef lzw_state *state = <lzw_state *> malloc(sizeof(lzw_state))
    if state == NULL:
        raise MemoryError
    try:
        PyObject_GetBuffer(src, &source, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(dst, &target, PyBUF_WRITABLE)
            try:
                with nogil:
                    lzw_start(state, lsb, 0)
                    written = lzw_run(state, <const unsigned char *> source.buf, source.len,
                                      <unsigned char *> target.buf, target.len, &used)
            finally:
                PyBuffer_Release(&target)
        finally:
            PyBuffer_Release(&source)
        if state.status == LZW_FAULT:
            raise ValueError(f"the LZW code at byte {state.fault} is not in the table")
        return written
    finally:
        free(state)


cdef lzw_state *_state(Py_buffer *state) except NULL:
    if state.len < <Py_ssize_t> sizeof(lzw_state) or <uintptr_t> state.buf % 8:
        raise ValueError(f"the state takes {sizeof(lzw_state)} bytes, aligned to 8")
    return <lzw_state *> state.buf


def start(state, *, int order=LZW_GUESS, unsigned int shift=0):
    """Make `state` that of a stream of which nothing is read yet.

    order: MSB, LSB (old style), or GUESS by the first code. shift: bits, below 8, of the first byte to pass over.
    """
    cdef Py_buffer memory
    if order not in (LZW_MSB, LZW_LSB, LZW_GUESS) or shift > 7:
        raise ValueError(f"there is no order {order} or shift {shift}")
    PyObject_GetBuffer(state, &memory, PyBUF_WRITABLE)
    try:
        lzw_start(_state(&memory), order, shift)
    finally:
        PyBuffer_Release(&memory)


def run(state, src, dst):
    """Decode the next bytes of a stream: (bytes taken of `src`, bytes written to `dst`, MORE, END or FAULT).

    All of `src` is taken if there is room, and then nothing of it is needed again. `state` must be one that `start`
    made and only `run` has changed since. After a fault, what was written up to there is right.
    """
    cdef Py_buffer memory, source, target
    cdef Py_ssize_t written, used
    cdef lzw_state *s
    PyObject_GetBuffer(state, &memory, PyBUF_WRITABLE)
    try:
        s = _state(&memory)
        PyObject_GetBuffer(src, &source, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(dst, &target, PyBUF_WRITABLE)
            try:
                with nogil:
                    written = lzw_run(s, <const unsigned char *> source.buf, source.len,
                                      <unsigned char *> target.buf, target.len, &used)
            finally:
                PyBuffer_Release(&target)
        finally:
            PyBuffer_Release(&source)
        return used, written, s.status
    finally:
        PyBuffer_Release(&memory)


def mark(state):
    """(order, bit, since): a stream started with that order at that bit, counted from the first byte of this one, is
    in the present state when it has written `since` bytes. It is where the last Clear code ends."""
    cdef Py_buffer memory
    PyObject_GetBuffer(state, &memory, PyBUF_SIMPLE)
    try:
        s = _state(&memory)
        return s.order, s.clear, s.since
    finally:
        PyBuffer_Release(&memory)
