#ifndef HEAP_EXPORTER_KERNELS_DOMINATORS_H
#define HEAP_EXPORTER_KERNELS_DOMINATORS_H

#include "graph.h"

/* Find the immediate dominator and the retained bytes of each node. Call trace() before. */
Status dominate(Graph *graph);
/* Sum, for each of `count` groups, the bytes that its objects retain together; `group_of` has the group by object. */
Status retained_by(const Graph *graph, const uint32_t *group_of, uint32_t count, uint64_t *bytes);
/* Sum, for each of `count` groups, its objects and their bytes. */
void totals_by(const Graph *graph, const uint32_t *group_of, uint32_t count, uint64_t *objects, uint64_t *bytes);

#endif
