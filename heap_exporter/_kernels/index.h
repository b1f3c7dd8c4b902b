#ifndef HEAP_EXPORTER_KERNELS_INDEX_H
#define HEAP_EXPORTER_KERNELS_INDEX_H

#include "memory.h"

/* 4 KiB of addresses: the places that have an object, and the number of objects on lower pages. */
typedef struct {
    uint64_t number;
    uint64_t bits[4];
    uint32_t rank;
} Page;

/* The set of all places that have an object. The number of an object is the number of lower places in the set. */
typedef struct {
    VECTOR(Page) pages;
    uint32_t *slots; /* positions in pages, plus one */
    size_t capacity;
    uint32_t last; /* the last page found: consecutive look-ups are often on the same page */
} Index;

/* Add a place; set `*is_new` to whether it was missing. */
Status index_add(Index *index, uint64_t place, int *is_new);
/* Number the objects, after all of them were added. */
Status index_rank(Index *index);
/* Return the object's number, or UINT32_MAX. */
uint32_t index_find(Index *index, uint64_t place);
/* Write all places in order. */
void index_places(const Index *index, uint64_t *places);
void index_free(Index *index);

#endif
