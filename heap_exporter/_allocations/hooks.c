#include "hooks.h"

#include <string.h>

#include "countdown.h"
#include "sampler.h"

#define COLD __attribute__((noinline, cold))
#define INLINE static inline __attribute__((always_inline))

enum { SMALL = 512, ROOMY = SMALL + 1 };

/* What a set of hooks sees. Each block is counted once: where one domain passes blocks on to another, by one of them. */
typedef enum {
    LIGHT_SMALL, /* MEM and OBJ count small blocks only, and see no free() */
    LIGHT_RAW,   /* counts blocks of its own and large ones of MEM and OBJ, which have counted those they make small */
    FULL,
} Coverage;

enum { DOMAINS = 3 };

/* The allocators below the hooks. They are set once: a thread without the GIL may be in a hook at any time. */
static PyMemAllocatorEx below[DOMAINS];
static int has_below;

/* ---- the hooks ------------------------------------------------------------------------------------------------ */

/* Request a small sample as a large block. That takes RAW's hook ROOMY bytes, which the countdown must not count. */
INLINE int
becomes_large(Coverage coverage, size_t size)
{
    if (coverage != LIGHT_SMALL || size > SMALL) {
        return 0;
    }
    countdown.left += ROOMY;
    return 1;
}

static COLD void *
malloc_sampled(int domain, Coverage coverage, void *context, size_t size)
{
    double interval = countdown_restart();
    int is_roomy = interval > 0 && becomes_large(coverage, size);
    void *block = below[domain].malloc(context, is_roomy ? ROOMY : size);
    if (block && interval > 0) {
        sampler_record(block, size, interval);
    }
    return block;
}

INLINE void *
hook_malloc(int domain, Coverage coverage, void *context, size_t size)
{
    if ((coverage == LIGHT_SMALL && size > SMALL) || countdown_passes(size)) {
        return below[domain].malloc(context, size);
    }
    return malloc_sampled(domain, coverage, context, size);
}

static COLD void *
calloc_sampled(int domain, Coverage coverage, void *context, size_t count, size_t item)
{
    double interval = countdown_restart();
    size_t size = count * item;
    int is_roomy = interval > 0 && becomes_large(coverage, size);
    void *block = is_roomy ? below[domain].calloc(context, 1, ROOMY) : below[domain].calloc(context, count, item);
    if (block && interval > 0) {
        sampler_record(block, size, interval);
    }
    return block;
}

INLINE void *
hook_calloc(int domain, Coverage coverage, void *context, size_t count, size_t item)
{
    size_t size = count * item; /* the caller has checked that it does not overflow */
    if ((coverage == LIGHT_SMALL && size > SMALL) || countdown_passes(size)) {
        return below[domain].calloc(context, count, item);
    }
    return calloc_sampled(domain, coverage, context, count, item);
}

/* Resize a block that is a sample or is to become one; `interval` is 0 if it is not to become one. */
static COLD void *
realloc_sampled(int domain, Coverage coverage, void *context, void *old, size_t size, double interval)
{
    Sample sample;
    int was_sample = old && samples_may_have(old) && sampler_remove(old, &sample);
    int is_roomy = interval > 0 && becomes_large(coverage, size);
    void *block = below[domain].realloc(context, old, is_roomy ? ROOMY : size);
    if (!block && was_sample) {
        sampler_restore(&sample);
    }
    if (block && interval > 0) {
        sampler_record(block, size, interval);
    }
    return block;
}

INLINE void *
hook_realloc(int domain, Coverage coverage, void *context, void *old, size_t size)
{
    /* MEM and OBJ have counted a block that they make small; RAW's own small reallocations are rare. */
    int is_counted = coverage == LIGHT_SMALL ? size <= SMALL : coverage == LIGHT_RAW ? size > SMALL : 1;
    int passes = !is_counted || countdown_passes(size);
    if (passes && (coverage == LIGHT_SMALL || !samples_may_have(old))) {
        return below[domain].realloc(context, old, size);
    }
    return realloc_sampled(domain, coverage, context, old, size, passes ? 0 : countdown_restart());
}

static COLD void
free_sampled(int domain, void *context, void *block)
{
    Sample sample;
    sampler_remove(block, &sample);
    below[domain].free(context, block);
}

INLINE void
hook_free(int domain, void *context, void *block)
{
    if (samples_may_have(block)) {
        free_sampled(domain, context, block);
        return;
    }
    below[domain].free(context, block);
}

#define DEFINE_HOOKS(NAME, DOMAIN, COVERAGE)                                                                          \
    static void *NAME##_malloc(void *context, size_t size)                                                            \
    {                                                                                                                 \
        return hook_malloc(DOMAIN, COVERAGE, context, size);                                                          \
    }                                                                                                                 \
    static void *NAME##_calloc(void *context, size_t count, size_t size)                                              \
    {                                                                                                                 \
        return hook_calloc(DOMAIN, COVERAGE, context, count, size);                                                   \
    }                                                                                                                 \
    static void *NAME##_realloc(void *context, void *old, size_t size)                                                \
    {                                                                                                                 \
        return hook_realloc(DOMAIN, COVERAGE, context, old, size);                                                    \
    }
#define DEFINE_FREE(NAME, DOMAIN)                                                                                     \
    static void NAME##_free(void *context, void *block)                                                               \
    {                                                                                                                 \
        hook_free(DOMAIN, context, block);                                                                            \
    }

DEFINE_HOOKS(light_raw, PYMEM_DOMAIN_RAW, LIGHT_RAW)
DEFINE_HOOKS(light_mem, PYMEM_DOMAIN_MEM, LIGHT_SMALL)
DEFINE_HOOKS(light_obj, PYMEM_DOMAIN_OBJ, LIGHT_SMALL)
DEFINE_HOOKS(full_raw, PYMEM_DOMAIN_RAW, FULL)
DEFINE_HOOKS(full_mem, PYMEM_DOMAIN_MEM, FULL)
DEFINE_HOOKS(full_obj, PYMEM_DOMAIN_OBJ, FULL)
DEFINE_FREE(raw, PYMEM_DOMAIN_RAW)
DEFINE_FREE(mem, PYMEM_DOMAIN_MEM)
DEFINE_FREE(obj, PYMEM_DOMAIN_OBJ)

/* ---- which hooks are in use ----------------------------------------------------------------------------------- */

/* The hooks of each domain. A thread without the GIL may read one half of an allocator before a change and the other
 * half after it. So the context is that of the allocator below: both halves work with it. */
static PyMemAllocatorEx hooks[DOMAINS];
static int is_hooked[DOMAINS];
static HooksState coverage_in_use = HOOKS_OFF;

static void
choose_light(void)
{
    const PyMemAllocatorEx light[DOMAINS] = {
        [PYMEM_DOMAIN_RAW] = {below[0].ctx, light_raw_malloc, light_raw_calloc, light_raw_realloc, raw_free},
        [PYMEM_DOMAIN_MEM] = {below[1].ctx, light_mem_malloc, light_mem_calloc, light_mem_realloc, below[1].free},
        [PYMEM_DOMAIN_OBJ] = {below[2].ctx, light_obj_malloc, light_obj_calloc, light_obj_realloc, below[2].free},
    };
    memcpy(hooks, light, sizeof(hooks));
    coverage_in_use = HOOKS_LIGHT;
}

static void
choose_full(void)
{
    const PyMemAllocatorEx full[DOMAINS] = {
        [PYMEM_DOMAIN_RAW] = {below[0].ctx, full_raw_malloc, full_raw_calloc, full_raw_realloc, raw_free},
        [PYMEM_DOMAIN_MEM] = {below[1].ctx, full_mem_malloc, full_mem_calloc, full_mem_realloc, mem_free},
        [PYMEM_DOMAIN_OBJ] = {below[2].ctx, full_obj_malloc, full_obj_calloc, full_obj_realloc, obj_free},
    };
    memcpy(hooks, full, sizeof(hooks));
    coverage_in_use = HOOKS_FULL;
}

static int
is_same(const PyMemAllocatorEx *one, const PyMemAllocatorEx *other)
{
    return one->ctx == other->ctx && one->malloc == other->malloc && one->calloc == other->calloc
           && one->realloc == other->realloc && one->free == other->free;
}

/* Return whether an allocation of a domain reaches the hooks, directly or through those of another tool. */
static int
is_reached(PyMemAllocatorDomain domain)
{
    PyMemAllocatorEx top;
    PyMem_GetAllocator(domain, &top);
    if (is_same(&top, &hooks[domain])) {
        return 1;
    }
    int64_t left = countdown_begin_probe();
    top.free(top.ctx, top.malloc(top.ctx, 1));
    return countdown_end_probe(left);
}

static void
hook(PyMemAllocatorDomain domain)
{
    PyMem_SetAllocator(domain, &hooks[domain]);
    is_hooked[domain] = 1;
}

static void
unhook(PyMemAllocatorDomain domain)
{
    PyMemAllocatorEx top;
    PyMem_GetAllocator(domain, &top);
    if (is_hooked[domain] && is_same(&top, &hooks[domain])) {
        PyMem_SetAllocator(domain, &below[domain]);
        is_hooked[domain] = 0;
    }
}

/* Return whether a large block of a domain is allocated in RAW; RAW is hooked. `freed_there` is whether RAW also gets
 * it back at the same address. */
static int
passes_on(PyMemAllocatorDomain domain, int *freed_there)
{
    int64_t left = countdown_begin_probe();
    void *block = below[domain].malloc(below[domain].ctx, ROOMY);
    int is_passed_on = countdown_end_probe(left);
    *freed_there = 0;
    if (block && is_passed_on) {
        sampler_record(block, ROOMY, 1);
    }
    below[domain].free(below[domain].ctx, block);
    if (block && is_passed_on) {
        Sample sample;
        *freed_there = !sampler_remove(block, &sample);
    }
    return is_passed_on;
}

/* Install hooks over the allocators of `below`. */
static void
install_anew(void)
{
    int mem_is_freed, obj_is_freed;
    choose_light();
    hook(PYMEM_DOMAIN_RAW);
    int mem_passes = passes_on(PYMEM_DOMAIN_MEM, &mem_is_freed);
    int obj_passes = passes_on(PYMEM_DOMAIN_OBJ, &obj_is_freed);
    if (!mem_is_freed || !obj_is_freed) {
        unhook(PYMEM_DOMAIN_RAW);
        choose_full();
        /* Where blocks reach RAW under another address, RAW would count them a second time. */
        if (!mem_passes && !obj_passes) {
            hook(PYMEM_DOMAIN_RAW);
        }
    }
    hook(PYMEM_DOMAIN_MEM);
    hook(PYMEM_DOMAIN_OBJ);
}

const char *
hooks_install(void)
{
    int hooked = 0, reached = 0;
    PyMemAllocatorEx top[DOMAINS];
    for (int domain = 0; domain < DOMAINS; domain++) {
        PyMem_GetAllocator(domain, &top[domain]);
        hooked += is_hooked[domain];
        reached += is_hooked[domain] && is_reached(domain);
    }
    if (hooked && hooked == reached) {
        return NULL; /* another tool passes allocations on to the hooks */
    }
    if (reached || (has_below && memcmp(below, top, sizeof(below)) != 0)) {
        return "another tool, such as tracemalloc, has changed the allocators of this process since allocations were "
               "first sampled; restart the process to sample them";
    }
    memset(is_hooked, 0, sizeof(is_hooked));
    memcpy(below, top, sizeof(below));
    has_below = 1;
    install_anew();
    return NULL;
}

void
hooks_remove(void)
{
    for (int domain = 0; domain < DOMAINS; domain++) {
        unhook(domain);
    }
}

HooksState
hooks_state(void)
{
    if (!sampler_is_active()) {
        return HOOKS_OFF;
    }
    for (int domain = 0; domain < DOMAINS; domain++) {
        if (is_hooked[domain] && !is_reached(domain)) {
            return HOOKS_DISPLACED;
        }
    }
    return coverage_in_use;
}
