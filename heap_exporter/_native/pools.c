#include "pools.h"

#include <string.h>

enum { POOL_BYTES = 16 << 10, POOL_HEAD = 48, SIZE_CLASSES = 32, CLASS_BYTES = 16, MAX_BLOCK_WORDS = 16 };

/* The smallest mapping with pools: an arena of pymalloc. */
enum { PYMALLOC_ARENA_BYTES = 1 << 20 };

/* struct pool_header of Objects/obmalloc.c (3.11) and Include/internal/pycore_obmalloc.h, the same from 3.11 to 3.14. */
typedef struct {
    uint32_t used_count;
    uint32_t padding;
    uint8_t *free_block;
    void *next_pool;
    void *previous_pool;
    uint32_t arena_index;
    uint32_t size_class;
    uint32_t next_offset; /* of the first block that was never used */
    uint32_t max_next_offset;
} PoolHeader;

/* Remove the blocks of a pool's free list from the used ones. Return how many there are, or -1 if it is no such list. */
static int
remove_free(const PoolHeader *pool, uint32_t block_bytes, uint32_t block_count, uint64_t *used)
{
    int count = 0;
    for (const uint8_t *block = pool->free_block; block; block = *(uint8_t *const *)block) {
        uintptr_t offset = (uintptr_t)block - (uintptr_t)pool - POOL_HEAD;
        uint32_t place = (uint32_t)(offset / block_bytes);
        if (offset >= (uintptr_t)block_count * block_bytes || offset % block_bytes || !bit_get(used, place)) {
            return -1;
        }
        used[place >> 6] &= ~((uint64_t)1 << (place & 63));
        count++;
    }
    return count;
}

/* Add the pool at an address if there is one. Return whether it has blocks in use. */
static int
add_pool(Areas *areas, uintptr_t address)
{
    const PoolHeader *pool = (const PoolHeader *)address;
    if (pool->size_class >= SIZE_CLASSES) {
        return 0;
    }
    uint32_t bytes = (pool->size_class + 1) * CLASS_BYTES;
    uint32_t used_end = pool->next_offset - POOL_HEAD;
    if (pool->max_next_offset != POOL_BYTES - bytes || pool->next_offset < POOL_HEAD + bytes
        || pool->next_offset > POOL_BYTES || used_end % bytes || pool->used_count > used_end / bytes) {
        return 0;
    }
    uint64_t used[MAX_BLOCK_WORDS] = {0};
    if (pool->used_count > 0) {
        for (uint32_t place = 0; place < used_end / bytes; place++) {
            bit_set(used, place);
        }
        int free_count = remove_free(pool, bytes, used_end / bytes, used);
        if (free_count < 0 || used_end / bytes - (uint32_t)free_count != pool->used_count) {
            return 0;
        }
    }
    /* An empty pool is an area, too: what is left in it is no pointer. */
    uint64_t places = (POOL_BYTES - POOL_HEAD) / bytes;
    Area *area = areas_add(areas, address, address + POOL_BYTES, address + POOL_HEAD, places, bytes);
    area->block_bytes = bytes;
    memcpy(area->used, used, area_words(area) * sizeof(uint64_t));
    return pool->used_count > 0;
}

uint64_t
pools_find(Areas *areas, const Mappings *mappings)
{
    uint64_t count = 0;
    for (size_t i = 0; i < mappings_count(mappings); i++) {
        const Mapping *mapping = mappings_get(mappings, i);
        if (mapping->kind != MAPPING_ANONYMOUS || mapping->end - mapping->begin < PYMALLOC_ARENA_BYTES) {
            continue;
        }
        uintptr_t address = (mapping->begin + POOL_BYTES - 1) & ~(uintptr_t)(POOL_BYTES - 1);
        for (; address + POOL_BYTES <= mapping->end; address += POOL_BYTES) {
            count += (uint64_t)add_pool(areas, address);
        }
    }
    return count;
}
