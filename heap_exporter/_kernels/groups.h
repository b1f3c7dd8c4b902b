#ifndef HEAP_EXPORTER_KERNELS_GROUPS_H
#define HEAP_EXPORTER_KERNELS_GROUPS_H

#include "graph.h"

/* The label of the tuple behind a function's __closure__ is LABEL_CLOSURE plus the shape of the function. */
#define LABEL_CLOSURE 0x80000000u

/* Create one group for each holder. */
Status groups_begin(Graph *graph);
/* Find or create the group of the objects of a type to which the objects of the group `parent` refer as `label`. */
Status groups_child(Graph *graph, uint32_t parent, uint32_t label, uint32_t type, uint32_t *group);

#endif
