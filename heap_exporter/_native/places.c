#include "places.h"

#include <errno.h>

enum { CHUNK_BYTES = (1 << CHUNK_BITS) / 8, TABLE_BYTES = (1 << TABLE_BITS) * sizeof(void *) };

void
places_init(Places *places, Arena *arena)
{
    places->arena = arena;
    places->tables = arena_alloc(arena, TABLE_BYTES);
    places->last_number = UINT64_MAX;
    places->last_chunk = NULL;
}

uint64_t *
places_chunk(Places *places, uint64_t number)
{
    uint64_t table = number >> TABLE_BITS;
    if (table >> TABLE_BITS) {
        fault_raise(places->arena->fault, FAULT_DAMAGED, EFAULT);
    }
    if (!places->tables[table]) {
        places->tables[table] = arena_alloc(places->arena, TABLE_BYTES);
    }
    uint64_t **chunk = &places->tables[table][number & ((1u << TABLE_BITS) - 1)];
    if (!*chunk) {
        *chunk = arena_alloc(places->arena, CHUNK_BYTES);
    }
    return *chunk;
}
