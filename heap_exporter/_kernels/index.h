#ifndef HEAP_EXPORTER_KERNELS_INDEX_H
#define HEAP_EXPORTER_KERNELS_INDEX_H

#include "memory.h"

/* 4 KiB of addresses: which of its places have an object, and how many objects have lower ones. */
typedef struct {
    uint64_t number;
    uint64_t bits[4];
    uint32_t rank;
} Page;

/* The set of all places that have an object; an object's number is how many places of the set are lower. */
typedef struct {
    VECTOR(Page) pages;
    uint32_t *slots; /* positions in pages, plus one */
    size_t capacity;
    uint32_t last; /* the page found last: what is met together lies together */
} Index;

/* Add a place; `*is_new` tells whether it was not there. */
Status index_add(Index *index, uint64_t place, int *is_new);
/* Number the objects, once all are in. */
Status index_rank(Index *index);
/* Return the object's number, or UINT32_MAX. */
uint32_t index_find(Index *index, uint64_t place);
/* Write all places in order. */
void index_places(const Index *index, uint64_t *places);
void index_free(Index *index);

#endif
