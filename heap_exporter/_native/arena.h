/* Memory for a walk, from mmap() and never from malloc(): another thread may hold malloc's lock when the process is
 * cloned. */
#ifndef HEAP_EXPORTER_ARENA_H
#define HEAP_EXPORTER_ARENA_H

#include <stddef.h>
#include "fault.h"

typedef struct Region Region;

typedef struct {
    Fault *fault;
    Region *regions;
    char *next;
    char *end;
} Arena;

/* A growing stack of items of one size, in its own mapping. */
typedef struct {
    char *items;
    size_t item_bytes;
    size_t count;
    size_t capacity;
} Stack;

/* Return zeroed memory, aligned for any type; raises a fault without memory. arena_free() frees it. */
void *arena_alloc(Arena *arena, size_t bytes);

/* Unmap all memory of the arena. */
void arena_free(Arena *arena);

/* Grow the capacity by at least `more` items. Return 0, or -1 without memory. */
int stack_reserve(Stack *stack, size_t more);

void stack_free(Stack *stack);

#endif
