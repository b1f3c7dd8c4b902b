#ifndef HEAP_EXPORTER_KERNELS_GROUPS_H
#define HEAP_EXPORTER_KERNELS_GROUPS_H

#include "graph.h"

/* Labels of the tuple behind a function's __closure__: from here on, the shape of the function. */
#define LABEL_CLOSURE 0x80000000u

/* Make one group for each holder. */
Status groups_begin(Graph *graph);
/* Find or make the group of an object of this type that an object of the group `parent` refers to as `label`. */
Status groups_child(Graph *graph, uint32_t parent, uint32_t label, uint32_t type, uint32_t *group);

#endif
