#ifndef HEAP_EXPORTER_KERNELS_ARRAY_H
#define HEAP_EXPORTER_KERNELS_ARRAY_H

#include <Python.h>

/* Return a memoryview of numbers, "I" or "Q", that are now its own; of NULL it is a MemoryError. */
PyObject *array_take(void *items, size_t count, const char *format);
/* Return a memoryview of numbers that `owner` keeps, and keep that. */
PyObject *array_view(PyObject *owner, void *items, size_t count, const char *format);
/* Make the type behind the views; return whether that went well. */
int array_ready(PyObject *module);

#endif
