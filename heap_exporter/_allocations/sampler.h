/* Records samples and their end. One lock protects all tables; no code that runs under it allocates or needs the GIL. */
#ifndef HEAP_EXPORTER_SAMPLER_H
#define HEAP_EXPORTER_SAMPLER_H

#include "samples.h"
#include "stacks.h"

typedef struct {
    uint64_t interval;      /* bytes between samples at present */
    uint64_t live;          /* sampled blocks that are alive */
    uint64_t taken;         /* samples since the start */
    uint64_t without_stack; /* samples whose stack did not fit into the tables */
    uint64_t dropped;       /* samples that did not fit */
    uint64_t nanoseconds;   /* time that samples took */
    uint64_t stacks;
    uint64_t table_bytes;
} SamplerCounters;

/* Begin to record, with `interval` bytes between samples. The interval doubles while samples take more than the share
 * `max_load` of one core, and returns later; 0 means no limit. Return 0, or -1 without memory. Needs the GIL. */
int sampler_begin(uint64_t interval, double max_load);

/* Stop recording, and forget all samples. Needs the GIL; may run code of the application. */
void sampler_end(void);

int sampler_is_active(void);

/* Record a block of `size` bytes as a sample. */
void sampler_record(void *block, size_t size, double interval);

/* Record the end of a block that may be a sample: before the allocator can use its address again. Return whether it
 * was a sample, which `sample` is then. */
int sampler_remove(void *block, Sample *sample);

/* Undo sampler_remove(): the block was not freed. */
void sampler_restore(const Sample *sample);

SamplerCounters sampler_counters(void);

/* Copy all stacks with their sums into new mapped memory; return NULL without memory. */
CallStack *sampler_copy_stacks(uint32_t *count);
void sampler_free_copy(CallStack *copy, uint32_t count);

/* Copy the calls of a stack, with a new reference to each code; return how many, 0 for an unknown stack. */
uint32_t sampler_copy_calls(uint32_t stack, Call calls[MAX_FRAMES]);

#endif
