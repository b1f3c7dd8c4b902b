#include "chunks.h"

#include <string.h>

/* Source: malloc/malloc.c and malloc/arena.c of glibc 2.26 to 2.42. */
enum {
    ALIGNMENT = 16,
    MIN_CHUNK = 32,
    PREVIOUS_IN_USE = 1,
    IS_MAPPED = 2,
    NOT_MAIN_ARENA = 4,
    FENCE_BYTES = 32,          /* at the end of a heap that malloc has left for a new one */
    MAX_FIRST_OFFSET = 4096,   /* of the first chunk: a heap begins with its header and its arena */
    MAX_FIRST_OFFSET_BRK = 256,
};
#define ARENA_HEAP_BYTES ((uintptr_t)64 << 20)

/* The header of a heap of an arena that is not the main one. */
typedef struct {
    uintptr_t arena;
    uintptr_t previous_heap;
    size_t bytes;
} HeapHeader;

static size_t
size_and_flags(uintptr_t chunk)
{
    return *(const size_t *)(chunk + sizeof(size_t));
}

/* Return the number of chunks from an address to the end of a heap, 0 if they do not lead there. */
static uint64_t
chain_length(uintptr_t chunk, uintptr_t end)
{
    uint64_t count = 0;
    while (chunk + CHUNK_HEAD <= end) {
        size_t bytes = chunk_bytes(chunk);
        if (bytes <= CHUNK_HEAD && end - chunk <= FENCE_BYTES) {
            return count;
        }
        if (bytes < CHUNK_HEAD || bytes % ALIGNMENT || bytes > end - chunk) {
            return 0;
        }
        chunk += bytes;
        count++;
    }
    return chunk == end ? count : 0;
}

static void
add_heap(Areas *areas, uintptr_t begin, uintptr_t first, uintptr_t end)
{
    Area *heap = areas_add(areas, begin, end, first, (end - first) / ALIGNMENT, ALIGNMENT);
    heap->starts = arena_alloc(areas->arena, area_words(heap) * sizeof(uint64_t));
    for (uintptr_t chunk = first; chunk + CHUNK_HEAD <= end; chunk += chunk_bytes(chunk)) {
        size_t bytes = chunk_bytes(chunk);
        if (bytes <= CHUNK_HEAD && end - chunk <= FENCE_BYTES) {
            return;
        }
        uint64_t place = (chunk - first) / ALIGNMENT;
        bit_set(heap->starts, place);
        uintptr_t next = chunk + bytes; /* the last chunk is the free rest of the heap */
        if (bytes >= MIN_CHUNK && next + CHUNK_HEAD <= end && size_and_flags(next) & PREVIOUS_IN_USE) {
            bit_set(heap->used, place);
        }
    }
}

static void
add_lone_chunk(Areas *areas, uintptr_t chunk, size_t bytes)
{
    Area *heap = areas_add(areas, chunk, chunk + bytes, chunk, 1, ALIGNMENT);
    heap->is_lone = 1;
    bit_set(heap->used, 0);
}

/* Return the first chunk of a heap, 0 if its chunks are no whole chain. */
static uintptr_t
first_chunk(uintptr_t begin, uintptr_t end, uintptr_t max_offset, size_t flags)
{
    for (uintptr_t chunk = begin; chunk < begin + max_offset && chunk + CHUNK_HEAD <= end; chunk += ALIGNMENT) {
        if ((size_and_flags(chunk) & flags) == flags && chain_length(chunk, end) > 0) {
            return chunk;
        }
    }
    return 0;
}

/* Return the end of the heap of an arena that begins at an address, 0 if none does. */
static uintptr_t
arena_heap_end(uintptr_t begin, uintptr_t mapping_end)
{
    if (begin % ARENA_HEAP_BYTES || mapping_end - begin < PAGE_BYTES) {
        return 0;
    }
    const HeapHeader *header = (const HeapHeader *)begin;
    if (!header->arena || header->bytes < PAGE_BYTES || header->bytes % PAGE_BYTES
        || header->bytes > mapping_end - begin || header->bytes > ARENA_HEAP_BYTES) {
        return 0;
    }
    return begin + header->bytes;
}

/* Return the size of the chunk that malloc has mapped at an address, 0 if there is none. */
static size_t
lone_chunk_bytes(uintptr_t address, uintptr_t mapping_end)
{
    size_t size = size_and_flags(address), bytes = size & ~(size_t)7;
    int is_one = *(const size_t *)address == 0 && (size & 7) == IS_MAPPED && bytes >= PAGE_BYTES
                 && bytes % PAGE_BYTES == 0 && bytes <= mapping_end - address;
    return is_one ? bytes : 0;
}

static void
find_in_brk(Areas *areas, const Mapping *mapping, HeapCounts *counts)
{
    uintptr_t first = first_chunk(mapping->begin, mapping->end, MAX_FIRST_OFFSET_BRK, PREVIOUS_IN_USE);
    if (!first) {
        counts->broken++;
        return;
    }
    add_heap(areas, mapping->begin, first, mapping->end);
    counts->heaps++;
    counts->bytes += mapping->end - first;
}

static void
find_in_anonymous(Areas *areas, const Mapping *mapping, HeapCounts *counts)
{
    uintptr_t page = mapping->begin;
    while (page < mapping->end) {
        uintptr_t end = 0;
        if (!areas_at(areas, page)) {
            end = arena_heap_end(page, mapping->end);
            uintptr_t first = end ? first_chunk(page, end, MAX_FIRST_OFFSET, NOT_MAIN_ARENA) : 0;
            size_t bytes = end ? 0 : lone_chunk_bytes(page, mapping->end);
            if (first) {
                add_heap(areas, page, first, end);
            }
            else if (bytes) {
                end = page + bytes;
                add_lone_chunk(areas, page, bytes);
            }
            counts->broken += end && !first && !bytes;
            counts->heaps += first || bytes;
            counts->bytes += first || bytes ? end - page : 0;
        }
        page = end ? end : page + PAGE_BYTES;
    }
}

/* Return whether a chunk is in one of the lists of free chunks that malloc marks as used: their first word is the address
 * of the next one of the same size, or 0, "exclusive or" that of the word without its last 12 bits. Source: PROTECT_PTR
 * in glibc since 2.32. What is left in such a chunk is no pointer. */
static int
is_listed_as_free(const Areas *areas, uintptr_t chunk)
{
    uintptr_t memory = chunk + CHUNK_HEAD;
    uintptr_t next = *(const uintptr_t *)memory ^ memory >> 12;
    if (next == 0) {
        return 1;
    }
    if (next % ALIGNMENT) {
        return 0;
    }
    /* A fast bin has the addresses of chunks, a thread's cache those of their memory. */
    for (int is_cached = 0; is_cached < 2; is_cached++) {
        uintptr_t other = next - (is_cached ? CHUNK_HEAD : 0);
        Area *area = areas_at(areas, other);
        if (area && area->starts && other >= area->first && bit_get(area->starts, (other - area->first) / ALIGNMENT)
            && chunk_bytes(other) == chunk_bytes(chunk)) {
            return 1;
        }
    }
    return 0;
}

static void
remove_free(Areas *areas)
{
    for (size_t i = 0; i < areas_count(areas); i++) {
        Area *area = areas_get(areas, i);
        for (size_t word = 0; area->starts && word < area_words(area); word++) {
            for (uint64_t bits = area->used[word]; bits; bits &= bits - 1) {
                uint64_t place = word * 64 + (uint64_t)__builtin_ctzll(bits);
                if (is_listed_as_free(areas, area->first + place * ALIGNMENT)) {
                    area->used[word] &= ~((uint64_t)1 << (place & 63));
                }
            }
        }
    }
}

HeapCounts
chunks_find(Areas *areas, const Mappings *mappings)
{
    HeapCounts counts = {0, 0, 0};
    for (size_t i = 0; i < mappings_count(mappings); i++) {
        const Mapping *mapping = mappings_get(mappings, i);
        if (mapping->kind == MAPPING_BRK) {
            find_in_brk(areas, mapping, &counts);
        }
        else if (mapping->kind == MAPPING_ANONYMOUS) {
            find_in_anonymous(areas, mapping, &counts);
        }
    }
    remove_free(areas);
    return counts;
}
