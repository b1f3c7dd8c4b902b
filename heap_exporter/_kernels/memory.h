#ifndef HEAP_EXPORTER_KERNELS_MEMORY_H
#define HEAP_EXPORTER_KERNELS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The result of a kernel: all but DONE become exceptions. */
typedef enum { DONE, NO_MEMORY, ALTERED } Status;

#define TRY(expression)                   \
    do {                                  \
        Status status_ = (expression);    \
        if (status_ != DONE) {            \
            return status_;               \
        }                                 \
    } while (0)

#define VECTOR(T)        \
    struct {             \
        T *items;        \
        size_t count;    \
        size_t capacity; \
    }

/* Reserve memory for one more item, or return from the calling function. */
#define PUSH(vector, ...)                                                                                     \
    do {                                                                                                      \
        if ((vector).count == (vector).capacity) {                                                            \
            void *grown_ = grow((vector).items, &(vector).capacity, sizeof *(vector).items);                  \
            if (!grown_) {                                                                                    \
                return NO_MEMORY;                                                                             \
            }                                                                                                 \
            (vector).items = grown_;                                                                          \
        }                                                                                                     \
        (vector).items[(vector).count++] = __VA_ARGS__;                                                       \
    } while (0)

#define RELEASE(vector)               \
    do {                              \
        free((vector).items);         \
        (vector).items = NULL;        \
        (vector).count = (vector).capacity = 0; \
    } while (0)

/* Return the items with a capacity that is half as large again, or NULL. */
static inline void *
grow(void *items, size_t *capacity, size_t item_size)
{
    size_t wanted = *capacity < 16 ? 16 : *capacity + *capacity / 2;
    void *grown = wanted > SIZE_MAX / 2 / item_size ? NULL : realloc(items, wanted * item_size);
    if (grown) {
        *capacity = wanted;
    }
    return grown;
}

/* Return memory for a number of items, or NULL without memory. For 0 items it is not NULL. */
static inline void *
allocate(size_t count, size_t item_size)
{
    return count > SIZE_MAX / 2 / item_size ? NULL : malloc(count ? count * item_size : 1);
}

/* The seed of all hashes, random at import: no file can be crafted to collide in a table. */
extern uint64_t hash_seed;

/* Return a hash of the value: the finalizer of MurmurHash3 (Austin Appleby, public domain). */
static inline uint64_t
scramble(uint64_t value)
{
    value ^= hash_seed;
    value = (value ^ value >> 33) * 0xff51afd7ed558ccdu;
    value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53u;
    return value ^ value >> 33;
}

#endif
