/* The pools of pymalloc, the allocator of small Python objects. */
#ifndef HEAP_EXPORTER_POOLS_H
#define HEAP_EXPORTER_POOLS_H

#include "areas.h"

/* Add all pools in the mappings to the areas. Return how many have blocks in use. No symbol of the interpreter is needed:
 * what a pool says of itself in several ways must agree. */
uint64_t pools_find(Areas *areas, const Mappings *mappings);

#endif
