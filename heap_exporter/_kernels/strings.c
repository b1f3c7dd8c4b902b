#include "strings.h"

#include <string.h>

/* The limit keeps labels of strings below the labels of closures. */
enum { MAX_STRINGS = 0x70000000 };

static uint64_t
hash_of(const uint8_t *bytes, size_t length)
{
    uint64_t hash = hash_seed;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return scramble(hash);
}

const uint8_t *
strings_get(const Strings *strings, uint32_t number, size_t *length)
{
    size_t begin = number ? strings->ends.items[number - 1] : 0;
    *length = strings->ends.items[number] - begin;
    return strings->bytes.items + begin;
}

static size_t
slot_of(const Strings *strings, const uint8_t *bytes, size_t length)
{
    size_t slot = hash_of(bytes, length) & (strings->capacity - 1);
    for (; strings->slots[slot]; slot = (slot + 1) & (strings->capacity - 1)) {
        size_t other_length;
        const uint8_t *other = strings_get(strings, strings->slots[slot] - 1, &other_length);
        if (other_length == length && (length == 0 || memcmp(other, bytes, length) == 0)) {
            break;
        }
    }
    return slot;
}

static Status
enlarge(Strings *strings)
{
    size_t capacity = strings->capacity ? strings->capacity * 2 : 256;
    uint32_t *slots = calloc(capacity, sizeof *slots);
    if (!slots) {
        return NO_MEMORY;
    }
    free(strings->slots);
    strings->slots = slots;
    strings->capacity = capacity;
    for (uint32_t number = 0; number < strings->ends.count; number++) {
        size_t length;
        const uint8_t *bytes = strings_get(strings, number, &length);
        slots[slot_of(strings, bytes, length)] = number + 1;
    }
    return DONE;
}

Status
strings_add(Strings *strings, const uint8_t *bytes, size_t length, uint32_t *number)
{
    if (strings->ends.count * 2 >= strings->capacity) {
        TRY(enlarge(strings));
    }
    size_t slot = slot_of(strings, bytes, length);
    if (!strings->slots[slot]) {
        if (strings->ends.count >= MAX_STRINGS) {
            return NO_MEMORY;
        }
        for (size_t i = 0; i < length; i++) {
            PUSH(strings->bytes, bytes[i]);
        }
        PUSH(strings->ends, strings->bytes.count);
        strings->slots[slot] = (uint32_t)strings->ends.count;
    }
    *number = strings->slots[slot] - 1;
    return DONE;
}

uint32_t
strings_find(const Strings *strings, const char *text)
{
    uint32_t found = strings->capacity ? strings->slots[slot_of(strings, (const uint8_t *)text, strlen(text))] : 0;
    return found - 1;
}

void
strings_free(Strings *strings)
{
    RELEASE(strings->bytes);
    RELEASE(strings->ends);
    free(strings->slots);
    strings->slots = NULL;
    strings->capacity = 0;
}
