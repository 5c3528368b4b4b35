"""Compiled loops: plain buffers in, plain buffers out, without the GIL. No Python objects, no I/O, no files.

Each kernel is three files: the stub (`.pyi`) is how it is called, the `.pyx` checks every argument, and the loops are
C in the `.h`, where templates and vectors can be written. The checks come first and are complete: a loop trusts its
figures, so what a hostile file can say must have been refused before it starts. Faults are ValueErrors; the caller
knows the file and says so.
"""
