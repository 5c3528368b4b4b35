# cython: language_level=3, freethreading_compatible=True
"""PackBits. The loop is in packbits.h."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "packbits.h" nogil:
    ctypedef struct packbits_state:
        unsigned char left
    Py_ssize_t packbits_run(packbits_state *state, const unsigned char *src, Py_ssize_t n, unsigned char *dst,
                            Py_ssize_t room, Py_ssize_t *used)

STATE_BYTES = sizeof(packbits_state)


def run(state, src, dst):
    """Decode the next bytes of a PackBits stream (TIFF 6.0, section 9): (bytes taken of `src`, bytes written to `dst`).

    Ends when `dst` is full or `src` ends, within a run too. `state` is `STATE_BYTES` bytes, zeros at the start. They may
    be copied and kept, and whatever they hold does no harm.
    """
    cdef Py_buffer memory, source, target
    cdef Py_ssize_t written, used
    PyObject_GetBuffer(state, &memory, PyBUF_WRITABLE)
    try:
        if memory.len != sizeof(packbits_state):
            raise ValueError(f"the state takes {sizeof(packbits_state)} bytes")
        PyObject_GetBuffer(src, &source, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(dst, &target, PyBUF_WRITABLE)
            try:
                with nogil:
                    written = packbits_run(<packbits_state *> memory.buf, <const unsigned char *> source.buf,
                                           source.len, <unsigned char *> target.buf, target.len, &used)
            finally:
                PyBuffer_Release(&target)
        finally:
            PyBuffer_Release(&source)
        return used, written
    finally:
        PyBuffer_Release(&memory)
