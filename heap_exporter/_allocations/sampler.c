#include "sampler.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "countdown.h"
#include "mapped.h"

/* How often the load is compared with its limit. */
enum { CHECK_NS = 250000000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_active;
static SamplerCounters counters;

static struct {
    uint64_t interval; /* as requested */
    double max_load;
    uint64_t checked_at;
    uint64_t nanoseconds; /* since then */
} budget;

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- forks: the child needs tables that no other thread was changing ------------------------------------------ */

static __thread int is_forking __attribute__((tls_model("initial-exec")));

static void
before_fork(void)
{
    pthread_mutex_lock(&lock);
    is_forking = 1;
}

static void
after_fork_in_parent(void)
{
    is_forking = 0;
    pthread_mutex_unlock(&lock);
}

static void
after_fork_in_child(void)
{
    countdown.random = 0; /* parent and child would draw the same numbers */
    after_fork_in_parent();
}

/* Take the lock; return 0 in a thread that forks and has it: the fork handlers of other libraries may allocate. */
static int
acquire(void)
{
    return !is_forking && pthread_mutex_lock(&lock) == 0;
}

/* ---- start and stop ------------------------------------------------------------------------------------------- */

int
sampler_begin(uint64_t interval, double max_load)
{
    static int has_fork_handlers;
    if (!has_fork_handlers) {
        if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0) {
            return -1;
        }
        has_fork_handlers = 1;
    }
    pthread_mutex_lock(&lock);
    int result = stacks_begin();
    if (result == 0) {
        memset(&counters, 0, sizeof(counters));
        budget.interval = interval;
        budget.max_load = max_load;
        budget.checked_at = now_ns();
        budget.nanoseconds = 0;
        countdown_set_interval(interval);
        is_active = 1;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

void
sampler_end(void)
{
    pthread_mutex_lock(&lock);
    is_active = 0;
    samples_clear();
    RetiredCalls retired = stacks_end();
    pthread_mutex_unlock(&lock);
    stacks_release(retired);
}

int
sampler_is_active(void)
{
    return is_active;
}

/* ---- samples -------------------------------------------------------------------------------------------------- */

static void
add(Sums *sums, const Sample *sample)
{
    double chance = countdown_chance(sample->size, sample->interval);
    double bytes = (double)sample->size / chance;
    sums->bytes += bytes;
    sums->objects += 1 / chance;
    sums->variance += bytes * bytes * (1 - chance);
    sums->samples++;
}

static void
subtract(Sums *sums, const Sample *sample)
{
    double chance = countdown_chance(sample->size, sample->interval);
    double bytes = (double)sample->size / chance;
    sums->bytes -= bytes;
    sums->objects -= 1 / chance;
    sums->variance -= bytes * bytes * (1 - chance);
    if (--sums->samples == 0) {
        *sums = (Sums){0, 0, 0, 0}; /* no rounding errors remain */
    }
}

static void
insert(const Sample *sample)
{
    Sample replaced;
    int result = samples_add(sample, &replaced);
    if (result < 0) {
        counters.dropped++;
        return;
    }
    if (result > 0) {
        subtract(&stacks_get(replaced.stack)->live, &replaced);
    }
    add(&stacks_get(sample->stack)->live, sample);
}

/* Stretch the interval while samples take too much time, and return to the requested one once they take little. */
static void
keep_to_budget(uint64_t now)
{
    uint64_t elapsed = now - budget.checked_at;
    if (elapsed < CHECK_NS) {
        return;
    }
    double load = (double)budget.nanoseconds / (double)elapsed;
    uint64_t interval = countdown_interval();
    if (load > budget.max_load) {
        countdown_set_interval(interval * 2);
    }
    else if (load < budget.max_load / 4 && interval > budget.interval) {
        countdown_set_interval(interval / 2);
    }
    budget.checked_at = now;
    budget.nanoseconds = 0;
}

void
sampler_record(void *block, size_t size, double interval)
{
    Call calls[MAX_FRAMES];
    uint64_t began = now_ns();
    uint32_t depth = stacks_capture(calls);
    if (!acquire()) {
        return;
    }
    if (is_active) {
        uint32_t stack = stacks_intern(calls, depth);
        Sample sample = {(uintptr_t)block, size, stack, (float)interval};
        counters.without_stack += stack == NO_STACK && depth > 0;
        counters.taken++;
        add(&stacks_get(stack)->allocated, &sample);
        insert(&sample);
        uint64_t now = now_ns();
        counters.nanoseconds += now - began;
        budget.nanoseconds += now - began;
        if (budget.max_load > 0) {
            keep_to_budget(now);
        }
    }
    pthread_mutex_unlock(&lock);
}

int
sampler_remove(void *block, Sample *sample)
{
    if (!acquire()) {
        return 0;
    }
    int is_sample = samples_remove((uintptr_t)block, sample);
    if (is_sample) {
        subtract(&stacks_get(sample->stack)->live, sample);
    }
    pthread_mutex_unlock(&lock);
    return is_sample;
}

void
sampler_restore(const Sample *sample)
{
    if (!acquire()) {
        return;
    }
    if (is_active && sample->stack < stacks_count()) { /* sampling may have stopped and begun again meanwhile */
        insert(sample);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

SamplerCounters
sampler_counters(void)
{
    pthread_mutex_lock(&lock);
    SamplerCounters result = counters;
    result.interval = countdown_interval();
    result.live = samples_count();
    result.stacks = stacks_count();
    result.table_bytes = samples_table_bytes() + stacks_table_bytes();
    pthread_mutex_unlock(&lock);
    return result;
}

CallStack *
sampler_copy_stacks(uint32_t *count)
{
    pthread_mutex_lock(&lock);
    *count = stacks_count();
    CallStack *copy = mapped_new((*count + 1) * sizeof(CallStack));
    if (copy && *count) {
        memcpy(copy, stacks_get(0), *count * sizeof(CallStack));
    }
    pthread_mutex_unlock(&lock);
    return copy;
}

void
sampler_free_copy(CallStack *copy, uint32_t count)
{
    mapped_free(copy, (count + 1) * sizeof(CallStack));
}

uint32_t
sampler_copy_calls(uint32_t stack, Call calls[MAX_FRAMES])
{
    pthread_mutex_lock(&lock);
    uint32_t depth = stack < stacks_count() ? stacks_copy_calls(stack, calls) : 0;
    pthread_mutex_unlock(&lock);
    return depth;
}
