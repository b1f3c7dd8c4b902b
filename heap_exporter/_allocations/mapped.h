/* Memory of the tables, from mmap(): a hook of an allocator must not allocate through that allocator. */
#ifndef HEAP_EXPORTER_MAPPED_H
#define HEAP_EXPORTER_MAPPED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* Return zeroed memory, NULL if there is none. Pages that are never written take no RAM. */
static inline void *
mapped_new(size_t bytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static inline void
mapped_free(void *memory, size_t bytes)
{
    if (memory) {
        munmap(memory, bytes);
    }
}

/* Return a hash of a number. Source: fmix64 of MurmurHash3. */
static inline uint64_t
mapped_hash(uint64_t number)
{
    number ^= number >> 33;
    number *= 0xff51afd7ed558ccdULL;
    number ^= number >> 33;
    number *= 0xc4ceb9fe1a85ec53ULL;
    return number ^ number >> 33;
}

#endif
