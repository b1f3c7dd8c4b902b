#ifndef HEAP_EXPORTER_KERNELS_ARRAY_H
#define HEAP_EXPORTER_KERNELS_ARRAY_H

#include <Python.h>

/* Return a memoryview of numbers ("I" or "Q") that takes ownership of them; a MemoryError for NULL. */
PyObject *array_take(void *items, size_t count, const char *format);
/* Return a memoryview of numbers that `owner` owns; the view refers to the owner. */
PyObject *array_view(PyObject *owner, void *items, size_t count, const char *format);
/* Create the type behind the views; return whether it succeeded. */
int array_ready(PyObject *module);

#endif
