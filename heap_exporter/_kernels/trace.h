#ifndef HEAP_EXPORTER_KERNELS_TRACE_H
#define HEAP_EXPORTER_KERNELS_TRACE_H

#include "graph.h"

/* Find the shortest path from the roots to each object, and group objects with the same path. */
Status trace(Graph *graph);
/* Return the label of a dict's value: the name of its key, if that is known. */
uint32_t trace_label_of_value(const Graph *graph, uint32_t key);

#endif
