/* Writes the data blocks of a snapshot file: varints and texts, collected into blocks with a chained checksum.
 *
 * heap_exporter/heapfile/format.py describes the format. Each function raises a fault if the file cannot be written.
 */
#ifndef HEAP_EXPORTER_WRITER_H
#define HEAP_EXPORTER_WRITER_H

#include <stdint.h>
#include <string.h>

#include "arena.h"

enum {
    BLOCK_BYTES = 1 << 20,
    BLOCK_HEADER_BYTES = 8,
    VARINT_BYTES = 10,
};

/* The first number of each record; that of a node is RECORD_NODE plus the number of its shape. */
enum {
    RECORD_END = 0,
    RECORD_TYPE = 1,
    RECORD_SHAPE = 2,
    RECORD_NAME = 3,
    RECORD_THREAD = 4,
    RECORD_FRAME = 5,
    RECORD_ROOT = 6,
    RECORD_NODE = 8,
};

typedef struct {
    Fault *fault;
    int file;
    uint32_t crc;
    uint64_t bytes; /* in the file, including the headers of blocks */
    size_t used;
    unsigned char *payload;
    uint32_t (*tables)[256];
} Writer;

/* Start writing to a file; `crc` is that of the previous block. */
void writer_init(Writer *writer, Arena *arena, int file, uint32_t crc);

/* Write the collected bytes as a block. */
void writer_flush(Writer *writer);

static inline void
writer_varint(Writer *writer, uint64_t value)
{
    if (writer->used > BLOCK_BYTES - VARINT_BYTES) {
        writer_flush(writer);
    }
    unsigned char *next = writer->payload + writer->used;
    while (value >= 0x80) {
        *next++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *next++ = (unsigned char)value;
    writer->used = (size_t)(next - writer->payload);
}

static inline uint64_t
zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline void
writer_text(Writer *writer, const char *text, size_t length)
{
    writer_varint(writer, length);
    if (length > BLOCK_BYTES - writer->used) {
        writer_flush(writer);
    }
    memcpy(writer->payload + writer->used, text, length);
    writer->used += length;
}

#endif
