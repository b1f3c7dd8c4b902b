/* The result of a walk: memory that clone and parent share, with the rows of a census at its end.
 *
 * The parent checks every length in it against its bounds.
 */
#ifndef HEAP_EXPORTER_STATUS_H
#define HEAP_EXPORTER_STATUS_H

#include <stddef.h>
#include <stdint.h>

enum { STATUS_GENERATIONS = 4, TYPE_NAME_BYTES = 160, STATUS_BYTES = 4 << 20 };

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

static inline size_t
status_row_bytes(size_t name_length)
{
    return (sizeof(StatusRow) + name_length + 7) & ~(size_t)7;
}

#endif
