/* Which allocations are sampled: each byte has the same chance, so the samples are a Poisson process over bytes.
 *
 * A thread counts allocated bytes down from a number that is drawn from an exponential distribution. That distribution
 * has no memory, so a thread may keep its number while the hooks are out or the interval changes.
 */
#ifndef HEAP_EXPORTER_COUNTDOWN_H
#define HEAP_EXPORTER_COUNTDOWN_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t left;     /* bytes until the next sample */
    double interval;  /* the mean that `left` was drawn with, 0 in a new thread */
    uint64_t random;  /* the state of the generator, 0 before its seed */
    int is_probing;   /* the next allocation only records that it reached a hook */
    int was_reached;
} Countdown;

/* initial-exec: the dynamic model calls a function for each access, and that function may allocate. */
extern __thread Countdown countdown __attribute__((tls_model("initial-exec")));

/* Count an allocation; return whether it is no sample. */
static inline int
countdown_passes(size_t size)
{
    return __builtin_expect((countdown.left -= (int64_t)size) >= 0, 1);
}

/* Set the mean number of bytes between samples, at least 1. */
void countdown_set_interval(uint64_t bytes);
uint64_t countdown_interval(void);

/* Draw the next number after countdown_passes() returned 0. Return the interval that the chance of this allocation
 * depended on, or 0 if it is no sample after all: the first of a thread, or one of a probe. */
double countdown_restart(void);

/* Return the chance that an allocation became a sample. */
double countdown_chance(uint64_t size, double interval);

/* Sample no more allocations of this thread. */
void countdown_ignore_thread(void);

/* Make the next allocation of this thread a probe. Return what countdown_end_probe() restores. */
int64_t countdown_begin_probe(void);

/* End a probe; return whether an allocation has reached a hook since it began. */
int countdown_end_probe(int64_t left);

#endif
