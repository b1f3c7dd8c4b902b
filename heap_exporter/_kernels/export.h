#ifndef HEAP_EXPORTER_KERNELS_EXPORT_H
#define HEAP_EXPORTER_KERNELS_EXPORT_H

#include "graph.h"

/* Make the holders that each graph has. */
Status graph_begin(Graph *graph);
/* Tell whether each object that was met the first time was met the second time. */
int graph_is_whole(const Graph *graph);
/* Put the weak edges back, once all that they must not count in is reckoned. */
void graph_restore_weak(Graph *graph);
void graph_free(Graph *graph);

/* Write the label of each edge slot. */
void export_labels(const Graph *graph, uint32_t *labels);
/* Write the parent, the label and the type of each group. */
void export_groups(const Graph *graph, uint32_t *parents, uint32_t *labels, uint32_t *types);

#endif
