#ifndef HEAP_EXPORTER_KERNELS_CURSOR_H
#define HEAP_EXPORTER_KERNELS_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#define PLACE_END ((uint64_t)1 << 60)

/* The bytes of a record that have arrived. Once `short_of` or `problem` is set, every read returns 0. */
typedef struct {
    const uint8_t *at, *end;
    int short_of;
    const char *problem;
} Cursor;

/* Store the problem if it is the first one; return 0. */
uint64_t cursor_fail(Cursor *cursor, const char *problem);
/* Note that the rest of the record has not arrived; return 0. */
uint64_t cursor_short_of(Cursor *cursor);
/* Read a number below `end`. */
uint64_t cursor_limited(Cursor *cursor, uint64_t end, const char *problem);
/* Read a place that is encoded relative to `base`. */
uint64_t cursor_place(Cursor *cursor, uint64_t base);
/* Read a string; return a pointer to its bytes. */
const uint8_t *cursor_string(Cursor *cursor, size_t *length);

/* Return whether everything read so far had arrived and was valid. */
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
