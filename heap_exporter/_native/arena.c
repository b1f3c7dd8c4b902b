#include "arena.h"

#include <errno.h>
#include <sys/mman.h>

enum { REGION_BYTES = 1 << 20, ALIGNMENT = 16, FIRST_ITEMS = 4096 };

struct Region {
    Region *older;
    size_t bytes;
};

/* Return a zeroed mapping, or NULL. A huge page would cost 2 MiB for every page that is touched. */
static void *
map(size_t bytes)
{
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return NULL;
    }
    madvise(mapping, bytes, MADV_NOHUGEPAGE);
    return mapping;
}

static void
add_region(Arena *arena, size_t bytes)
{
    Region *region = map(bytes);
    if (!region) {
        fault_raise(arena->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    region->older = arena->regions;
    region->bytes = bytes;
    arena->regions = region;
    arena->next = (char *)(region + 1);
    arena->end = (char *)region + bytes;
}

void *
arena_alloc(Arena *arena, size_t bytes)
{
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if ((size_t)(arena->end - arena->next) < bytes) {
        size_t needed = bytes + sizeof(Region);
        add_region(arena, needed > REGION_BYTES ? needed : REGION_BYTES);
    }
    void *memory = arena->next;
    arena->next += bytes;
    return memory;
}

void
arena_free(Arena *arena)
{
    while (arena->regions) {
        Region *region = arena->regions;
        arena->regions = region->older;
        munmap(region, region->bytes);
    }
    arena->next = arena->end = NULL;
}

int
stack_reserve(Stack *stack, size_t more)
{
    if (stack->capacity - stack->count >= more) {
        return 0;
    }
    size_t capacity = stack->capacity ? stack->capacity : FIRST_ITEMS;
    while (capacity - stack->count < more) {
        capacity *= 2;
    }
    void *items;
    if (stack->items) {
        items = mremap(stack->items, stack->capacity * stack->item_bytes, capacity * stack->item_bytes, MREMAP_MAYMOVE);
        items = items == MAP_FAILED ? NULL : items;
    }
    else {
        items = map(capacity * stack->item_bytes);
    }
    if (!items) {
        return -1;
    }
    stack->items = items;
    stack->capacity = capacity;
    return 0;
}

void
stack_free(Stack *stack)
{
    if (stack->items) {
        munmap(stack->items, stack->capacity * stack->item_bytes);
    }
    stack->items = NULL;
    stack->count = stack->capacity = 0;
}
