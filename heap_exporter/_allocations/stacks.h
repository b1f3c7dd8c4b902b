/* The stacks that allocated: each is stored once, and has the sums of its samples. */
#ifndef HEAP_EXPORTER_STACKS_H
#define HEAP_EXPORTER_STACKS_H

#include "../_native/compat.h"

#include <stdint.h>

enum { MAX_FRAMES = 64, MAX_STACKS = 1 << 16, NO_STACK = 0 };

/* A call that is in progress: a code object, and the offset of its instruction in bytes. */
typedef struct {
    PyCodeObject *code;
    int instruction;
} Call;

/* Estimates: each sample counts for as many bytes and objects as it stands for. */
typedef struct {
    double bytes;
    double objects;
    double variance; /* of the bytes */
    uint64_t samples;
} Sums;

typedef struct {
    uint64_t hash;
    uint32_t first; /* index of its first call */
    uint32_t depth;
    Sums live;
    Sums allocated;
} CallStack;

/* Write the Python calls of this thread, innermost first, and return how many: 0 in a thread without the GIL, or of
 * another interpreter than the main one. */
uint32_t stacks_capture(Call calls[MAX_FRAMES]);

/* The other functions need the lock of sampler.c. */

/* Map the tables. Return 0, or -1 without memory. */
int stacks_begin(void);

/* Return the number of a stack, NO_STACK if the tables are full. Takes a reference to each code that is new, so that
 * no other code gets its address. */
uint32_t stacks_intern(const Call *calls, uint32_t depth);

CallStack *stacks_get(uint32_t number);
uint32_t stacks_count(void);

/* Copy the calls of a stack, with a new reference to each code; return how many. */
uint32_t stacks_copy_calls(uint32_t number, Call calls[MAX_FRAMES]);

size_t stacks_table_bytes(void);

/* The tables of stacks, taken out of use. */
typedef struct {
    Call *calls;
    uint32_t count;
} RetiredCalls;

/* Unmap the stacks. The caller passes the result to stacks_release() without the lock. */
RetiredCalls stacks_end(void);

/* Give up the references to code objects, which may run code of the application. */
void stacks_release(RetiredCalls retired);

#endif
