/* Sets of object addresses: one bit for each place, in tables that are allocated only where there are objects.
 *
 * A place is an address divided by 16. No object is smaller than 16 bytes, so no two objects share a place.
 */
#ifndef HEAP_EXPORTER_ADDRESS_SET_H
#define HEAP_EXPORTER_ADDRESS_SET_H

#include <stdint.h>
#include "arena.h"

enum {
    PLACE_SHIFT = 4,
    CHUNK_BITS = 16, /* places in a chunk: 1 MiB of addresses, 8 KiB of bits */
    TABLE_BITS = 14,
};

typedef struct {
    Arena *arena;
    uint64_t ***tables; /* [table][chunk][word] */
    uint64_t last_number;
    uint64_t *last_chunk;
} AddressSet;

static inline uint64_t
place_of(const void *object)
{
    return (uint64_t)(uintptr_t)object >> PLACE_SHIFT;
}

void address_set_init(AddressSet *set, Arena *arena);

/* Return the bits of a chunk, allocated if it is new. Raises a fault for an impossible address. */
uint64_t *address_set_chunk(AddressSet *set, uint64_t number);

static inline uint64_t *
address_set_word(AddressSet *set, uint64_t place)
{
    uint64_t number = place >> CHUNK_BITS;
    if (number != set->last_number) {
        set->last_chunk = address_set_chunk(set, number);
        set->last_number = number;
    }
    return &set->last_chunk[(place & ((1u << CHUNK_BITS) - 1)) >> 6];
}

static inline int
address_set_has(AddressSet *set, const void *object)
{
    uint64_t place = place_of(object);
    return *address_set_word(set, place) >> (place & 63) & 1;
}

/* Add an object; return whether the set contained it already. */
static inline int
address_set_add(AddressSet *set, const void *object)
{
    uint64_t place = place_of(object);
    uint64_t *word = address_set_word(set, place);
    uint64_t bit = (uint64_t)1 << (place & 63);
    int was_there = (*word & bit) != 0;
    *word |= bit;
    return was_there;
}

#endif
