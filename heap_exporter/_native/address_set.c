#include "address_set.h"

#include <errno.h>

enum { CHUNK_BYTES = (1 << CHUNK_BITS) / 8, TABLE_BYTES = (1 << TABLE_BITS) * sizeof(void *) };

void
address_set_init(AddressSet *set, Arena *arena)
{
    set->arena = arena;
    set->tables = arena_alloc(arena, TABLE_BYTES);
    set->last_number = UINT64_MAX;
    set->last_chunk = NULL;
}

uint64_t *
address_set_chunk(AddressSet *set, uint64_t number)
{
    uint64_t table = number >> TABLE_BITS;
    if (table >> TABLE_BITS) {
        fault_raise(set->arena->fault, FAULT_DAMAGED, EFAULT);
    }
    if (!set->tables[table]) {
        set->tables[table] = arena_alloc(set->arena, TABLE_BYTES);
    }
    uint64_t **chunk = &set->tables[table][number & ((1u << TABLE_BITS) - 1)];
    if (!*chunk) {
        *chunk = arena_alloc(set->arena, CHUNK_BYTES);
    }
    return *chunk;
}
