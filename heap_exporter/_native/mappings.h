/* The memory of the process that may contain pointers: its writable, private mappings. */
#ifndef HEAP_EXPORTER_MAPPINGS_H
#define HEAP_EXPORTER_MAPPINGS_H

#include <stdint.h>
#include "arena.h"

enum { PAGE_BITS = 12, PAGE_BYTES = 1 << PAGE_BITS };

typedef enum {
    MAPPING_ANONYMOUS, /* allocators have it from mmap() */
    MAPPING_BRK,       /* the heap of malloc's main arena */
    MAPPING_STACK,     /* of the main thread */
    MAPPING_FILE,      /* data of libraries */
    MAPPING_READ_ONLY, /* contains types and names, but no pointer to memory that can be lost */
} MappingKind;

typedef struct {
    uintptr_t begin;
    uintptr_t end;
    MappingKind kind;
} Mapping;

/* The mappings in order of their addresses. */
typedef struct {
    Fault *fault;
    Stack items; /* of Mapping */
} Mappings;

/* Read the mappings of the process, as far as they can be read; memory that the caller maps later is not among them.
 * Raises a fault if they cannot be listed. Only in a clone. */
void mappings_read(Mappings *mappings, Fault *fault);

/* Remove a range of addresses. */
void mappings_remove(Mappings *mappings, uintptr_t begin, uintptr_t end);

/* Return whether all bytes of a range lie in one mapping. */
int mappings_have(const Mappings *mappings, uintptr_t begin, size_t bytes);

/* Return the mapping that an address lies in, or NULL. */
const Mapping *mappings_at(const Mappings *mappings, uintptr_t address);

static inline size_t
mappings_count(const Mappings *mappings)
{
    return mappings->items.count;
}

static inline const Mapping *
mappings_get(const Mappings *mappings, size_t i)
{
    return (const Mapping *)mappings->items.items + i;
}

#endif
