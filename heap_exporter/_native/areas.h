/* The memory that allocators divide into blocks: pools of pymalloc and heaps of malloc, by address. */
#ifndef HEAP_EXPORTER_AREAS_H
#define HEAP_EXPORTER_AREAS_H

#include <stdint.h>
#include "mappings.h"

enum {
    CHUNK_HEAD = 16,       /* bytes before the memory of a chunk of malloc */
    TABLE_PAGE_BITS = 18,  /* pages in a table: 1 GiB */
    TABLE_COUNT_BITS = 18, /* 48 bits of addresses */
};

/* Memory of one allocator. A block begins at one of its places, which are numbered from 0. */
typedef struct {
    uintptr_t first; /* where place 0 is */
    uint64_t places;
    uint32_t place_bytes;
    uint32_t block_bytes; /* of a pool; 0 in a heap, where the size of each chunk stands before it */
    uint64_t inverse;     /* 2**32 / place_bytes, rounded up: the number of a place without a division */
    int is_lone;          /* a heap with one chunk, which malloc has from mmap() */
    /* A bit for each place. */
    uint64_t *starts; /* of a heap: whether a chunk begins there; NULL in a pool, where all places are blocks */
    uint64_t *used;
    uint64_t *reached;
    uint64_t *links[2]; /* whether the block has the links of the garbage collector, at its begin or 16 bytes later */
    uint32_t *used_before; /* how many used blocks are in the words of bits before, of all areas */
} Area;

typedef struct {
    Arena *arena;
    Stack items; /* of Area */
    uint32_t **tables; /* [address >> 30][page]: the number of the area + 1, 0 for none */
    uintptr_t low, high;
} Areas;

/* A used block. */
typedef struct {
    Area *area;
    uint64_t place;
} Block;

void areas_init(Areas *areas, Arena *arena);

/* Return a new area over the pages from `begin` to `end`. It is valid until the next is added. */
Area *areas_add(Areas *areas, uintptr_t begin, uintptr_t end, uintptr_t first, uint64_t places, uint32_t place_bytes);

/* Remove the reached blocks from the used ones, and number the others from 0. Return how many there are. */
uint32_t areas_keep_unreached(Areas *areas);

static inline size_t
areas_count(const Areas *areas)
{
    return areas->items.count;
}

static inline Area *
areas_get(const Areas *areas, size_t i)
{
    return (Area *)areas->items.items + i;
}

static inline size_t
area_words(const Area *area)
{
    return (size_t)((area->places + 63) / 64);
}

static inline int
bit_get(const uint64_t *bits, uint64_t i)
{
    return (int)(bits[i >> 6] >> (i & 63) & 1);
}

static inline void
bit_set(uint64_t *bits, uint64_t i)
{
    bits[i >> 6] |= (uint64_t)1 << (i & 63);
}

/* Return the area that a page belongs to, or NULL. */
static inline Area *
areas_at(const Areas *areas, uintptr_t address)
{
    if (address < areas->low || address >= areas->high) {
        return NULL;
    }
    const uint32_t *table = areas->tables[address >> (PAGE_BITS + TABLE_PAGE_BITS)];
    uint32_t number = table ? table[address >> PAGE_BITS & ((1u << TABLE_PAGE_BITS) - 1)] : 0;
    return number ? areas_get(areas, number - 1) : NULL;
}

/* Find the used block that an address lies in. Return whether there is one. */
static inline int
areas_find(const Areas *areas, uintptr_t address, Block *block)
{
    Area *area = areas_at(areas, address);
    if (!area || address < area->first) {
        return 0;
    }
    uint64_t place = area->is_lone ? 0 : (uint64_t)(((unsigned __int128)(address - area->first) * area->inverse) >> 32);
    if (place >= area->places) {
        return 0;
    }
    if (area->starts) {
        uint64_t word = place >> 6;
        uint64_t starts = area->starts[word] & (~(uint64_t)0 >> (63 - (place & 63)));
        while (!starts) {
            if (word == 0) {
                return 0;
            }
            starts = area->starts[--word];
        }
        place = (word << 6) + 63 - (uint64_t)__builtin_clzll(starts);
    }
    block->area = area;
    block->place = place;
    return bit_get(area->used, place);
}

/* Return the size that malloc has written before a chunk, without its flags. */
static inline size_t
chunk_bytes(uintptr_t chunk)
{
    return *(const size_t *)(chunk + sizeof(size_t)) & ~(size_t)7;
}

/* Return where the memory of a block begins. */
static inline uintptr_t
block_begin(Block block)
{
    uintptr_t place = block.area->first + (uintptr_t)(block.place * block.area->place_bytes);
    return block.area->block_bytes ? place : place + CHUNK_HEAD;
}

/* Return how many bytes of a block its owner can use. */
static inline size_t
block_bytes(Block block)
{
    if (block.area->block_bytes) {
        return block.area->block_bytes;
    }
    /* A chunk ends in the first word of the next one; source: malloc_usable_size in glibc. */
    return chunk_bytes(block_begin(block) - CHUNK_HEAD) - (block.area->is_lone ? CHUNK_HEAD : sizeof(size_t));
}

/* Return the number of a used block, after areas_keep_unreached(). */
static inline uint32_t
block_number(Block block)
{
    uint64_t word = block.place >> 6;
    uint64_t before = block.area->used[word] & (((uint64_t)1 << (block.place & 63)) - 1);
    return block.area->used_before[word] + (uint32_t)__builtin_popcountll(before);
}

#endif
