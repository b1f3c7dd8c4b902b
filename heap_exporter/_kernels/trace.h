#ifndef HEAP_EXPORTER_KERNELS_TRACE_H
#define HEAP_EXPORTER_KERNELS_TRACE_H

#include "graph.h"

/* Find the shortest path to each object from what holds it, and put objects of like paths into groups. */
Status trace(Graph *graph);
/* Return the label of what a dict has under a key: the key's name, if that is known. */
uint32_t trace_label_of_value(const Graph *graph, uint32_t key);

#endif
