/* Sets of objects: a bit for each place, in tables that exist only where there are objects.
 *
 * A place is an address divided by 16. No object is smaller than 16 bytes, so no two share a place, aligned or not.
 */
#ifndef HEAP_EXPORTER_PLACES_H
#define HEAP_EXPORTER_PLACES_H

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
} Places;

static inline uint64_t
place_of(const void *object)
{
    return (uint64_t)(uintptr_t)object >> PLACE_SHIFT;
}

void places_init(Places *places, Arena *arena);

/* Return the bits of a chunk, made if need be. Raises a fault for an address that no process can have. */
uint64_t *places_chunk(Places *places, uint64_t number);

static inline uint64_t *
places_word(Places *places, uint64_t place)
{
    uint64_t number = place >> CHUNK_BITS;
    if (number != places->last_number) {
        places->last_chunk = places_chunk(places, number);
        places->last_number = number;
    }
    return &places->last_chunk[(place & ((1u << CHUNK_BITS) - 1)) >> 6];
}

static inline int
places_has(Places *places, const void *object)
{
    uint64_t place = place_of(object);
    return *places_word(places, place) >> (place & 63) & 1;
}

/* Add an object; return whether it was there before. */
static inline int
places_add(Places *places, const void *object)
{
    uint64_t place = place_of(object);
    uint64_t *word = places_word(places, place);
    uint64_t bit = (uint64_t)1 << (place & 63);
    int was_there = (*word & bit) != 0;
    *word |= bit;
    return was_there;
}

#endif
