/* Writes the data blocks of a snapshot file: varints and texts, gathered into blocks that carry a chained checksum.
 *
 * The format is described in heap_exporter/heapfile/format.py. A fault is raised when the file cannot be written.
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

/* The numbers that the records of a file begin with; a node's is that of its shape on top of RECORD_NODE. */
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
    uint64_t bytes; /* in the file, headers of blocks included */
    size_t used;
    unsigned char *payload;
    uint32_t (*tables)[256];
} Writer;

/* Begin to write to a file; `crc` is that of the block before. */
void writer_init(Writer *writer, Arena *arena, int file, uint32_t crc);

/* Write what has been gathered as a block. */
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
