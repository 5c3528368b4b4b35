# cython: language_level=3, freethreading_compatible=True
"""Inflate with a state that can be saved at any byte. The loops are in inflate.h.

The state is a buffer of the caller's, aligned to 8 bytes (a `bytearray` is). It holds no address: it may be copied. It
serves one thread at a time, and only these functions write to it.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t

cdef extern from "inflate.h" nogil:
    enum:
        INFLATE_RAW
        INFLATE_ZLIB
        INFLATE_ZLIB_UNVERIFIED
        INFLATE_MORE
        INFLATE_END
        INFLATE_FAULT
        INFLATE_MAGIC

    ctypedef struct inflate_head:
        uint32_t magic
        uint8_t fault
        uint64_t total

    ctypedef struct inflate_state:
        inflate_head head

    void inflate_start(inflate_state *s, int wrapper)
    int inflate_run(inflate_state *s, const uint8_t *src, size_t *consumed, uint8_t *dst, size_t *produced,
                    size_t written)
    size_t inflate_save_bytes(const inflate_head *head)
    void inflate_save(const inflate_state *s, uint8_t *to)
    int inflate_resume(inflate_state *s, const uint8_t *saved, size_t n)

STATE_BYTES = sizeof(inflate_state)
RAW, ZLIB, ZLIB_UNVERIFIED = INFLATE_RAW, INFLATE_ZLIB, INFLATE_ZLIB_UNVERIFIED
MORE, END, FAULT = INFLATE_MORE, INFLATE_END, INFLATE_FAULT

_FAULTS = (
    "",
    "the two bytes of the zlib header are not a multiple of 31",
    "the zlib header names a compression method other than 8",
    "the zlib header names a window of more than 32 KiB",
    "the stream needs a preset dictionary",
    "a block is of type 3, which does not exist",
    "the length of a stored block and its complement disagree",
    "a block has more than 286 codes for literals and lengths, or more than 30 for distances",
    "the code for the code lengths is not complete",
    "code lengths are repeated beyond their number, or with none before",
    "a block has no code for its end",
    "the code for literals and lengths is not complete",
    "the code for distances is not complete",
    "a code for a literal or length does not exist",
    "a code for a distance does not exist",
    "a distance reaches back before the first byte",
    "the Adler-32 of the data is not the one that the stream ends with",
)


def start(state, wrapper):
    """Begin a stream: RAW (RFC 1951), ZLIB (RFC 1950), or ZLIB_UNVERIFIED, which does not check its Adler-32."""
    cdef Py_buffer memory
    if wrapper not in (RAW, ZLIB, ZLIB_UNVERIFIED):
        raise ValueError(f"there is no wrapper {wrapper}")
    _get_state(state, &memory)
    inflate_start(<inflate_state *> memory.buf, wrapper)
    PyBuffer_Release(&memory)


def inflate(state, src, dst, written=0):
    """Decode from the beginning of `src` into `dst` behind its first `written` bytes: (consumed, produced, status).

    It goes on until `dst` is full, `src` is used up, the stream ends or is found to be wrong, and returns the bytes
    taken from `src` and put into `dst`. Less than all of `src` is consumed where `dst` is full, at the end of the
    stream (exactly: the next byte is behind it) and at a fault; what is left is to be given again. Even with no room
    left it goes on to the END, where the input holds it and nothing more comes out before.

    status: MORE, END, or FAULT (see `fault`): the bytes up to there are right. END and FAULT stay.
    written: where `dst` begins with the bytes that were produced last, unchanged, how many those are; decoding is then
        somewhat faster. The state keeps all that it needs: 0 is always right.
    What is in `dst` behind the produced bytes may be overwritten.
    """
    cdef Py_buffer memory, source, target
    cdef inflate_state *s
    cdef size_t consumed, produced, before
    cdef int status
    s = _get_state(state, &memory)
    try:
        if s.head.magic != INFLATE_MAGIC:
            raise ValueError("the state was not started")
        PyObject_GetBuffer(src, &source, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(dst, &target, PyBUF_SIMPLE | PyBUF_WRITABLE)
            try:
                if not 0 <= written <= min(target.len, s.head.total):
                    raise ValueError(f"not {written} of {target.len} bytes were written, of {s.head.total} in all")
                before, consumed, produced = written, source.len, target.len
                with nogil:
                    status = inflate_run(s, <const uint8_t *> source.buf, &consumed,
                                         <uint8_t *> target.buf, &produced, before)
            finally:
                PyBuffer_Release(&target)
        finally:
            PyBuffer_Release(&source)
    finally:
        PyBuffer_Release(&memory)
    return consumed, produced, status


def fault(state):
    """What is wrong with the stream, where `inflate` has returned FAULT; else an empty text."""
    cdef Py_buffer memory
    cdef inflate_state *s = _get_state(state, &memory)
    text = _FAULTS[s.head.fault] if s.head.magic == INFLATE_MAGIC and s.head.fault < len(_FAULTS) else ""
    PyBuffer_Release(&memory)
    return text


def save(state):
    """The state as bytes, at most some 33 KiB: with it and the bytes not yet consumed, `resume` goes on from here.

    ValueError after a fault: there is nothing to go on with.
    """
    cdef Py_buffer memory
    cdef inflate_state *s = _get_state(state, &memory)
    try:
        if s.head.magic != INFLATE_MAGIC or s.head.fault:
            raise ValueError("the state was not started, or its stream is at fault")
        saved = PyBytes_FromStringAndSize(NULL, inflate_save_bytes(&s.head))
        inflate_save(s, <uint8_t *> PyBytes_AS_STRING(saved))
    finally:
        PyBuffer_Release(&memory)
    return saved


def resume(state, saved):
    """Bring `state` to where `save` was called, on a machine of the same byte order.

    ValueError where `saved` is damaged; the state must then be started or resumed anew.
    """
    cdef Py_buffer memory, source
    cdef inflate_state *s = _get_state(state, &memory)
    cdef bint good = False
    try:
        PyObject_GetBuffer(saved, &source, PyBUF_SIMPLE)
        good = inflate_resume(s, <const uint8_t *> source.buf, source.len)
        PyBuffer_Release(&source)
        if not good:
            s.head.magic = 0
            raise ValueError("the saved state is damaged")
    finally:
        PyBuffer_Release(&memory)


cdef inflate_state *_get_state(state, Py_buffer *memory) except NULL:
    """The buffer is acquired, and is to be released."""
    PyObject_GetBuffer(state, memory, PyBUF_SIMPLE | PyBUF_WRITABLE)
    if <size_t> memory.len < sizeof(inflate_state) or <uintptr_t> memory.buf % 8:
        PyBuffer_Release(memory)
        raise ValueError(f"a state is {STATE_BYTES} bytes, aligned to 8")
    return <inflate_state *> memory.buf
