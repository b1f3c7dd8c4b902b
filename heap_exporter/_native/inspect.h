/* Single answers of the walk about single objects, and whether the interpreter is laid out as it was at build time. */
#ifndef HEAP_EXPORTER_INSPECT_H
#define HEAP_EXPORTER_INSPECT_H

#include "compat.h"

/* Return a new list with the size of each object of a tuple, or NULL with an exception set. */
PyObject *inspect_sizes(PyObject *objects, int numpy_major);

/* Return a new list of (name, referent) tuples, or NULL with an exception set. */
PyObject *inspect_edges(PyObject *object);

/* Return what is not where it should be, "" if all is, NULL with an exception set; `code` is what the caller runs. */
const char *inspect_layout(PyObject *code);

#endif
