/* The result of a walk: memory that clone and parent share, with the rows of a census at its end.
 *
 * The parent checks every length in it against its bounds.
 */
#ifndef HEAP_EXPORTER_STATUS_H
#define HEAP_EXPORTER_STATUS_H

#include <stddef.h>
#include <stdint.h>

enum { STATUS_GENERATIONS = 4, TYPE_NAME_BYTES = 160, STATUS_BYTES = 4 << 20 };

/* What the search for lost memory could see. */
typedef struct {
    uint64_t pools;         /* of pymalloc, with blocks in use */
    uint64_t heaps;         /* of malloc */
    uint64_t used_blocks;   /* in both */
    uint64_t heap_bytes;
    uint64_t unknown_bytes; /* anonymous memory of other allocators, or of none */
    uint64_t broken_heaps;  /* of malloc, but not readable as a chain of chunks */
} LostCounts;

typedef struct {
    volatile uint32_t is_done;
    uint32_t fault;    /* a FaultCode */
    uint32_t os_error; /* errno, or the number of the signal */
    uint32_t crc;
    uint64_t file_bytes;
    uint64_t objects;
    uint64_t references;
    uint64_t generation_objects[STATUS_GENERATIONS];
    uint64_t walk_ns; /* the whole walk, including fsync of the file */
    LostCounts lost;
    volatile uintptr_t walked_type; /* the class whose instance is being traversed */
    uint32_t crashed_type_length;
    char crashed_type[TYPE_NAME_BYTES]; /* the name of that class, after a crash */
    uint64_t row_bytes;
    unsigned char rows[];
} Status;

/* A row of a census; the name follows without a terminator, and the next row begins at a multiple of 8. */
typedef struct {
    uint64_t objects;
    uint64_t bytes;
    uint32_t name_length;
} StatusRow;

typedef enum {
    LOST_OBJECT = 0,
    LOST_BLOCK = 1, /* of pymalloc, without an object in it */
    LOST_CHUNK = 2, /* of malloc, without an object in it */
} LostKind;

/* A row of lost memory; the name of the type follows as in a census, and is empty without an object. */
typedef struct {
    uint64_t blocks; /* lost: of no pointer at all, or held by such blocks only */
    uint64_t bytes;
    uint64_t sources;      /* those of the blocks that are lost by themselves */
    uint64_t source_bytes; /* of the sources and all that they alone hold */
    uint64_t garbage; /* blocks that wait for the garbage collector */
    uint64_t garbage_bytes;
    uint32_t block_bytes; /* 0 of an object */
    uint32_t kind;        /* a LostKind */
    uint32_t name_length;
} LostRow;

static inline size_t
lost_row_bytes(size_t name_length)
{
    return (sizeof(LostRow) + name_length + 7) & ~(size_t)7;
}

static inline size_t
status_row_bytes(size_t name_length)
{
    return (sizeof(StatusRow) + name_length + 7) & ~(size_t)7;
}

#endif
