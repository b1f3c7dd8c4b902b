#ifndef HEAP_EXPORTER_KERNELS_VIEWS_H
#define HEAP_EXPORTER_KERNELS_VIEWS_H

#include <Python.h>

#include "graph.h"

/* The data of a finished graph as Python objects. `owner` is the object that owns the graph. */

/* The label of each edge. */
PyObject *views_labels(PyObject *owner, const Graph *graph);
/* The place of each object. */
PyObject *views_places(PyObject *owner, const Graph *graph);
/* The type of each object. */
PyObject *views_type_of(PyObject *owner, const Graph *graph);
/* The parents, labels and types of the path groups. */
PyObject *views_groups(PyObject *owner, const Graph *graph);
/* The strings, the names of the types, the names of the functions of frames. */
PyObject *views_texts(PyObject *owner, const Graph *graph);
/* For each thread and frame: whether it is a frame, its ident or the number of its function, its parent. */
PyObject *views_holders(PyObject *owner, const Graph *graph);
/* Holder, object, label, holder, … */
PyObject *views_root_edges(PyObject *owner, const Graph *graph);
/* Views of the arrays of the graph, by name. */
PyObject *views_arrays(PyObject *owner, const Graph *graph);
/* The numbers of objects, of references, and of references to objects outside of the file. */
PyObject *views_counts(PyObject *owner, const Graph *graph);

#endif
