#include "countdown.h"

#include <math.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "mapped.h"

__thread Countdown countdown;

static _Atomic uint64_t interval_bytes = 1;

void
countdown_set_interval(uint64_t bytes)
{
    atomic_store_explicit(&interval_bytes, bytes, memory_order_relaxed);
}

uint64_t
countdown_interval(void)
{
    return atomic_load_explicit(&interval_bytes, memory_order_relaxed);
}

/* Return 64 random bits. Source: xorshift64* of S. Vigna, "An experimental exploration of Marsaglia's xorshift
 * generators, scrambled" (2016). */
static uint64_t
random_bits(void)
{
    uint64_t state = countdown.random;
    if (!state) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t seed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)getpid() << 48;
        state = mapped_hash(seed ^ (uint64_t)(uintptr_t)&countdown) | 1;
    }
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    countdown.random = state;
    return state * 0x2545F4914F6CDD1DULL;
}

static void
draw(void)
{
    double share = ((double)(random_bits() >> 11) + 0.5) * 0x1p-53;
    countdown.interval = (double)countdown_interval();
    countdown.left = (int64_t)(-log(share) * countdown.interval);
}

double
countdown_restart(void)
{
    if (countdown.is_probing) {
        countdown.was_reached = 1;
        countdown.left = 0;
        return 0;
    }
    double interval = countdown.interval;
    if (interval == 0) {
        int64_t used = -countdown.left;
        draw();
        interval = countdown.interval;
        if (countdown.left >= used) {
            countdown.left -= used;
            return 0;
        }
    }
    draw();
    return interval;
}

double
countdown_chance(uint64_t size, double interval)
{
    return -expm1(-(double)size / interval);
}

void
countdown_ignore_thread(void)
{
    countdown.left = INT64_MAX;
}

int64_t
countdown_begin_probe(void)
{
    int64_t left = countdown.left;
    countdown.is_probing = 1;
    countdown.was_reached = 0;
    countdown.left = 0;
    return left;
}

int
countdown_end_probe(int64_t left)
{
    countdown.is_probing = 0;
    countdown.left = left;
    return countdown.was_reached;
}
