#include "stacks.h"

#include <string.h>

#include "mapped.h"

/* Each hash index has twice as many places as its table, so a search always ends. */
enum {
    MAX_CALLS = 1 << 16,
    MAX_LINKS = 1 << 21,
    INDEX_PLACES = 1 << 17,
};

static struct {
    Call *calls;           /* each call once */
    uint32_t *call_index;  /* hash -> number + 1 */
    uint32_t *links;       /* the stacks one after the other, as numbers of calls */
    CallStack *stacks;
    uint32_t *stack_index; /* hash -> number + 1 */
    uint32_t call_count;
    uint32_t link_count;
    uint32_t stack_count;
} tables;

/* ---- capture -------------------------------------------------------------------------------------------------- */

uint32_t
stacks_capture(Call calls[MAX_FRAMES])
{
    PyThreadState *thread = compat_own_thread();
    if (!thread || thread->interp != PyInterpreterState_Main()) {
        return 0;
    }
    uint32_t depth = 0;
    for (Frame *frame = compat_top_frame(thread); frame && depth < MAX_FRAMES; frame = frame->previous) {
        PyCodeObject *code = compat_frame_code(frame);
        if (code) {
            calls[depth++] = (Call){code, compat_frame_instruction(frame)};
        }
    }
    return depth;
}

/* ---- the tables ----------------------------------------------------------------------------------------------- */

static void
unmap(void)
{
    mapped_free(tables.call_index, INDEX_PLACES * sizeof(uint32_t));
    mapped_free(tables.links, MAX_LINKS * sizeof(uint32_t));
    mapped_free(tables.stacks, MAX_STACKS * sizeof(CallStack));
    mapped_free(tables.stack_index, INDEX_PLACES * sizeof(uint32_t));
    memset(&tables, 0, sizeof(tables));
}

int
stacks_begin(void)
{
    tables.calls = mapped_new(MAX_CALLS * sizeof(Call));
    tables.call_index = mapped_new(INDEX_PLACES * sizeof(uint32_t));
    tables.links = mapped_new(MAX_LINKS * sizeof(uint32_t));
    tables.stacks = mapped_new(MAX_STACKS * sizeof(CallStack));
    tables.stack_index = mapped_new(INDEX_PLACES * sizeof(uint32_t));
    if (!tables.calls || !tables.call_index || !tables.links || !tables.stacks || !tables.stack_index) {
        mapped_free(tables.calls, MAX_CALLS * sizeof(Call));
        unmap();
        return -1;
    }
    stacks_intern(NULL, 0); /* gets the number NO_STACK */
    return 0;
}

/* Return the number of a call, -1 if the table is full. */
static int64_t
intern_call(Call call)
{
    uint64_t place = mapped_hash((uintptr_t)call.code * 31 + (uint32_t)call.instruction);
    for (place &= INDEX_PLACES - 1; tables.call_index[place]; place = (place + 1) & (INDEX_PLACES - 1)) {
        const Call *known = &tables.calls[tables.call_index[place] - 1];
        if (known->code == call.code && known->instruction == call.instruction) {
            return tables.call_index[place] - 1;
        }
    }
    if (tables.call_count == MAX_CALLS) {
        return -1;
    }
    Py_INCREF(call.code);
    tables.calls[tables.call_count] = call;
    tables.call_index[place] = ++tables.call_count;
    return tables.call_count - 1;
}

static uint32_t
intern_links(const uint32_t *links, uint32_t depth)
{
    uint64_t hash = depth;
    for (uint32_t i = 0; i < depth; i++) {
        hash = mapped_hash(hash * 0x9E3779B97F4A7C15ULL + links[i]);
    }
    uint64_t place = hash & (INDEX_PLACES - 1);
    for (; tables.stack_index[place]; place = (place + 1) & (INDEX_PLACES - 1)) {
        const CallStack *known = &tables.stacks[tables.stack_index[place] - 1];
        if (known->hash == hash && known->depth == depth
            && memcmp(tables.links + known->first, links, depth * sizeof(uint32_t)) == 0) {
            return tables.stack_index[place] - 1;
        }
    }
    if (tables.stack_count == MAX_STACKS || tables.link_count + depth > MAX_LINKS) {
        return NO_STACK;
    }
    CallStack *stack = &tables.stacks[tables.stack_count];
    stack->hash = hash;
    stack->first = tables.link_count;
    stack->depth = depth;
    memcpy(tables.links + tables.link_count, links, depth * sizeof(uint32_t));
    tables.link_count += depth;
    tables.stack_index[place] = ++tables.stack_count;
    return tables.stack_count - 1;
}

uint32_t
stacks_intern(const Call *calls, uint32_t depth)
{
    uint32_t links[MAX_FRAMES] = {0};
    for (uint32_t i = 0; i < depth; i++) {
        int64_t number = intern_call(calls[i]);
        if (number < 0) {
            return NO_STACK;
        }
        links[i] = (uint32_t)number;
    }
    return intern_links(links, depth);
}

CallStack *
stacks_get(uint32_t number)
{
    return &tables.stacks[number];
}

uint32_t
stacks_count(void)
{
    return tables.stack_count;
}

uint32_t
stacks_copy_calls(uint32_t number, Call calls[MAX_FRAMES])
{
    const CallStack *stack = &tables.stacks[number];
    for (uint32_t i = 0; i < stack->depth; i++) {
        calls[i] = tables.calls[tables.links[stack->first + i]];
        Py_INCREF(calls[i].code);
    }
    return stack->depth;
}

size_t
stacks_table_bytes(void)
{
    return tables.call_count * (sizeof(Call) + sizeof(uint32_t)) + tables.link_count * sizeof(uint32_t)
           + tables.stack_count * (sizeof(CallStack) + sizeof(uint32_t));
}

RetiredCalls
stacks_end(void)
{
    RetiredCalls retired = {tables.calls, tables.call_count};
    unmap();
    return retired;
}

void
stacks_release(RetiredCalls retired)
{
    for (uint32_t i = 0; i < retired.count; i++) {
        Py_DECREF(retired.calls[i].code);
    }
    mapped_free(retired.calls, MAX_CALLS * sizeof(Call));
}
