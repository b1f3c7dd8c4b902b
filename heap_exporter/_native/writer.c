#include "writer.h"

#include <errno.h>
#include <unistd.h>

enum { TABLES = 8 };

/* Compute the tables of zlib's CRC-32 for eight bytes at a time. */
static void
make_tables(uint32_t (*tables)[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int t = 1; t < TABLES; t++) {
            tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
        }
    }
}

static uint32_t
crc32_of(uint32_t (*tables)[256], const unsigned char *data, size_t length, uint32_t crc)
{
    crc = ~crc;
    for (; length >= 8; data += 8, length -= 8) {
        crc ^= (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
        crc = tables[7][crc & 0xff] ^ tables[6][crc >> 8 & 0xff] ^ tables[5][crc >> 16 & 0xff] ^ tables[4][crc >> 24]
              ^ tables[3][data[4]] ^ tables[2][data[5]] ^ tables[1][data[6]] ^ tables[0][data[7]];
    }
    for (; length > 0; data++, length--) {
        crc = crc >> 8 ^ tables[0][(crc ^ *data) & 0xff];
    }
    return ~crc;
}

void
writer_init(Writer *writer, Arena *arena, int file, uint32_t crc)
{
    memset(writer, 0, sizeof(*writer));
    writer->fault = arena->fault;
    writer->file = file;
    writer->crc = crc;
    writer->payload = (unsigned char *)arena_alloc(arena, BLOCK_HEADER_BYTES + BLOCK_BYTES) + BLOCK_HEADER_BYTES;
    writer->tables = arena_alloc(arena, TABLES * sizeof(*writer->tables));
    make_tables(writer->tables);
}

static void
put_u32(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
}

void
writer_flush(Writer *writer)
{
    if (writer->used == 0) {
        return;
    }
    unsigned char *next = writer->payload - BLOCK_HEADER_BYTES;
    size_t left = BLOCK_HEADER_BYTES + writer->used;
    writer->crc = crc32_of(writer->tables, writer->payload, writer->used, writer->crc);
    put_u32(next, (uint32_t)writer->used);
    put_u32(next + 4, writer->crc);
    writer->bytes += left;
    while (left > 0) {
        ssize_t written = write(writer->file, next, left);
        if (written < 0 && errno != EINTR) {
            fault_raise(writer->fault, FAULT_WRITE, errno);
        }
        if (written > 0) {
            next += written;
            left -= (size_t)written;
        }
    }
    writer->used = 0;
}
