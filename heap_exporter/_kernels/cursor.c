#include "cursor.h"

enum { LONGEST_STRING_BYTES = 4096 };

uint64_t
cursor_fail(Cursor *cursor, const char *problem)
{
    if (!cursor->problem && !cursor->short_of) {
        cursor->problem = problem;
    }
    cursor->at = cursor->end;
    return 0;
}

uint64_t
cursor_short_of(Cursor *cursor)
{
    cursor->short_of = !cursor->problem;
    cursor->at = cursor->end;
    return 0;
}

uint64_t
cursor_limited(Cursor *cursor, uint64_t end, const char *problem)
{
    uint64_t value = cursor_varint(cursor);
    return value < end ? value : cursor_fail(cursor, problem);
}

uint64_t
cursor_place(Cursor *cursor, uint64_t base)
{
    uint64_t place = cursor_moved(base, cursor_varint(cursor));
    return place && place < PLACE_END ? place : cursor_fail(cursor, "a place is out of range");
}

const uint8_t *
cursor_string(Cursor *cursor, size_t *length)
{
    *length = cursor_limited(cursor, LONGEST_STRING_BYTES + 1, "a string is too long");
    const uint8_t *bytes = cursor->at;
    if ((size_t)(cursor->end - cursor->at) < *length) {
        *length = 0;
        cursor_short_of(cursor);
        return bytes;
    }
    cursor->at += *length;
    return bytes;
}
