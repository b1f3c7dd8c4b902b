/* The sampled blocks that are alive: a hash table by address, and a filter that a free() can read without a lock. */
#ifndef HEAP_EXPORTER_SAMPLES_H
#define HEAP_EXPORTER_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uintptr_t address; /* 0 in a free place of the table */
    uint64_t size;
    uint32_t stack;
    float interval;    /* what the chance of this sample depended on */
} Sample;

enum { FILTER_BITS = 16, FILTER_SHIFT = 8 };

extern uint64_t samples_filter[(1u << FILTER_BITS) / 64];

static inline uint32_t
samples_filter_slot(uintptr_t address)
{
    return (uint32_t)(address >> FILTER_SHIFT) & ((1u << FILTER_BITS) - 1);
}

/* Return 0 if a block is no sample, 1 if it may be one. Needs no lock: the caller owns the block, so no other thread
 * adds or removes it. */
static inline int
samples_may_have(const void *block)
{
    uint32_t slot = samples_filter_slot((uintptr_t)block);
    uint64_t word = __atomic_load_n(&samples_filter[slot / 64], __ATOMIC_RELAXED);
    return __builtin_expect(word >> slot % 64 & 1, 0);
}

/* The other functions need the lock of sampler.c. */

/* Add a sample. Return 0, or -1 without memory. If the table has the address already, because the block was freed
 * without a hook, `replaced` is the old sample and the return value is 1. */
int samples_add(const Sample *sample, Sample *replaced);

/* Remove the sample of an address into `removed`; return whether there was one. */
int samples_remove(uintptr_t address, Sample *removed);

size_t samples_count(void);
size_t samples_table_bytes(void);

/* Remove all samples, and unmap the table. */
void samples_clear(void);

#endif
