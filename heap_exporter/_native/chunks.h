/* The heaps of glibc's malloc, as far as their chunks form a whole chain. */
#ifndef HEAP_EXPORTER_CHUNKS_H
#define HEAP_EXPORTER_CHUNKS_H

#include "areas.h"

typedef struct {
    uint64_t heaps;
    uint64_t bytes;  /* of those */
    uint64_t broken; /* heaps without a whole chain: another thread was in malloc, or the C library is another */
} HeapCounts;

/* Add all heaps in the mappings to the areas, after the pools. Another memory stays what it is: full of pointers. */
HeapCounts chunks_find(Areas *areas, const Mappings *mappings);

#endif
