#ifndef HEAP_EXPORTER_KERNELS_TRACE_H
#define HEAP_EXPORTER_KERNELS_TRACE_H

#include "graph.h"

/* Find the shortest path to each object from what holds it, and put objects of like paths into groups. */
Status trace(Graph *graph);

#endif
