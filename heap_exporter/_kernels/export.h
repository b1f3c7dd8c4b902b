#ifndef HEAP_EXPORTER_KERNELS_EXPORT_H
#define HEAP_EXPORTER_KERNELS_EXPORT_H

#include "graph.h"

/* Create the holders that every graph has. */
Status graph_begin(Graph *graph);
/* Return whether the second pass found every object of the first pass. */
int graph_is_complete(const Graph *graph);
/* Restore the weak edges, after the kernels that must not follow them. */
void graph_restore_weak(Graph *graph);
void graph_free(Graph *graph);

/* Write the label of each edge slot. */
void export_labels(const Graph *graph, uint32_t *labels);
/* Write the parent, the label and the type of each group. */
void export_groups(const Graph *graph, uint32_t *parents, uint32_t *labels, uint32_t *types);

#endif
