/* Memory for a walk: mapped, never malloc'ed, since another thread may hold malloc's lock at the moment of a clone. */
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

/* A stack of equal items that grows as needed, in a mapping of its own. */
typedef struct {
    char *items;
    size_t item_bytes;
    size_t count;
    size_t capacity;
} Stack;

/* Return zeroed memory, aligned for anything; raises a fault when there is none. Freed with the arena only. */
void *arena_alloc(Arena *arena, size_t bytes);

/* Unmap everything that the arena has given out. */
void arena_free(Arena *arena);

/* Make room for `more` items. Return 0, or -1 when there is no memory. */
int stack_reserve(Stack *stack, size_t more);

void stack_free(Stack *stack);

#endif
