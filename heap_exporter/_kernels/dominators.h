#ifndef HEAP_EXPORTER_KERNELS_DOMINATORS_H
#define HEAP_EXPORTER_KERNELS_DOMINATORS_H

#include "graph.h"

/* Find the immediate dominator of each node, and the bytes that each retains; trace() comes before. */
Status dominate(Graph *graph);
/* Add up, for each of `count` groups, the bytes of the union of what its objects retain; `group_of` an object. */
Status retained_by(const Graph *graph, const uint32_t *group_of, uint32_t count, uint64_t *bytes);
/* Count, for each of `count` groups, its objects and their bytes. */
void totals_by(const Graph *graph, const uint32_t *group_of, uint32_t count, uint64_t *objects, uint64_t *bytes);

#endif
