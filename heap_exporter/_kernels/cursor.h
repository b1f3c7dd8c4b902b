#ifndef HEAP_EXPORTER_KERNELS_CURSOR_H
#define HEAP_EXPORTER_KERNELS_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#define PLACE_END ((uint64_t)1 << 60)

/* A record as far as its bytes are there. Once `short_of` or `problem` is set, all that is read is 0. */
typedef struct {
    const uint8_t *at, *end;
    int short_of;
    const char *problem;
} Cursor;

/* Leave the problem, if it is the first one; return 0. */
uint64_t cursor_fail(Cursor *cursor, const char *problem);
/* Say that the record goes on in bytes that are not there; return 0. */
uint64_t cursor_short_of(Cursor *cursor);
/* Read a number below `end`. */
uint64_t cursor_limited(Cursor *cursor, uint64_t end, const char *problem);
/* Read a place, told from `base` on. */
uint64_t cursor_place(Cursor *cursor, uint64_t base);
/* Read a string; return where its bytes are. */
const uint8_t *cursor_string(Cursor *cursor, size_t *length);

/* Tell whether all that was read so far was there and in order. */
static inline int
cursor_is_good(const Cursor *cursor)
{
    return !cursor->short_of && !cursor->problem;
}

static inline uint64_t
cursor_varint(Cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (cursor->at == cursor->end) {
            return cursor_short_of(cursor);
        }
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            return shift == 63 && byte > 1 ? cursor_fail(cursor, "a number is too long") : value;
        }
    }
    return cursor_fail(cursor, "a number is too long");
}

static inline uint64_t
cursor_moved(uint64_t place, uint64_t zigzag)
{
    return place + (zigzag >> 1 ^ (0 - (zigzag & 1)));
}

#endif
