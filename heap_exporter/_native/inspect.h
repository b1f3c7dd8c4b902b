/* Sizes and edges of single objects, for tests, and whether the interpreter's structures match those at build time. */
#ifndef HEAP_EXPORTER_INSPECT_H
#define HEAP_EXPORTER_INSPECT_H

#include "compat.h"

/* Return a new list with the size of each object of a tuple, or NULL with an exception set. */
PyObject *inspect_sizes(PyObject *objects, int numpy_major);

/* Return a new list of (name, referent) tuples, or NULL with an exception set. */
PyObject *inspect_edges(PyObject *object);

/* Return which structure does not match, "" if all do, NULL with an exception set; `code` is the caller's code. */
const char *inspect_layout(PyObject *code);

#endif
