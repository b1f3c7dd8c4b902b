#ifndef HEAP_EXPORTER_KERNELS_STRINGS_H
#define HEAP_EXPORTER_KERNELS_STRINGS_H

#include "memory.h"

/* Distinct strings, numbered in the order of their first appearance. */
typedef struct {
    VECTOR(uint8_t) bytes;
    VECTOR(size_t) ends;
    uint32_t *slots; /* numbers, plus one */
    size_t capacity;
} Strings;

Status strings_add(Strings *strings, const uint8_t *bytes, size_t length, uint32_t *number);
const uint8_t *strings_get(const Strings *strings, uint32_t number, size_t *length);
/* Return the number of a text, or UINT32_MAX. */
uint32_t strings_find(const Strings *strings, const char *text);
void strings_free(Strings *strings);

#endif
