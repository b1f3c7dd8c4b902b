#include "lost.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "block_objects.h"
#include "chunks.h"
#include "mark.h"
#include "pools.h"

enum {
    MAX_ROWS = 4096,
    ROW_SLOTS = 4 * MAX_ROWS,
    STACK_BYTES = 1 << 20, /* below the current frame: of frames that have returned */
};

/* Whether the words of an unreached block are references. */
typedef enum {
    CONTENT_UNKNOWN, /* memory of C code, which may be left over from its last use */
    CONTENT_OBJECT,
    CONTENT_OF_OBJECT, /* memory that an object leads to, such as the entries of a dict */
    CONTENT_ITEMS,     /* of a list, whose object says how many there are */
} Content;

/* A block that nothing reaches. */
typedef struct {
    uint32_t references; /* to it, in other such blocks */
    uint8_t content;     /* a Content */
    uint8_t offset;      /* of its object */
} Unreached;

typedef struct {
    PyTypeObject *type; /* NULL without an object */
    LostRow sums;
} Row;

typedef struct {
    Fault fault;
    Status *status;
    Arena arena;
    Mappings mappings;
    Areas areas;
    Types types;
    Marker marker;
    BlockObjects objects;
    Unreached *unreached; /* by block_number() */
    Stack pending;        /* of Block */
    Row *rows;            /* the first is of all that have no row of their own */
    uint32_t *slots;      /* row numbers */
    uint32_t row_count;
    uint64_t lost_bytes; /* of all rows */
    Text text;
} Search;

static Unreached *
unreached_of(const Search *search, Block block)
{
    return &search->unreached[block_number(block)];
}

static PyObject *
object_in(const Search *search, Block block)
{
    const Unreached *unreached = unreached_of(search, block);
    return unreached->content == CONTENT_OBJECT ? (PyObject *)(block_begin(block) + unreached->offset) : NULL;
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

static Row *
row_of(Search *search, Block block)
{
    PyObject *object = object_in(search, block);
    PyTypeObject *type = object ? Py_TYPE(object) : NULL;
    uint32_t kind = object ? LOST_OBJECT : block.area->block_bytes ? LOST_BLOCK : LOST_CHUNK;
    size_t all_bytes = object ? 0 : block_bytes(block);
    uint32_t bytes = all_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)all_bytes;
    size_t slot = ((uintptr_t)type >> 4 ^ bytes * 31u ^ kind) % ROW_SLOTS;
    for (; search->slots[slot]; slot = (slot + 1) % ROW_SLOTS) {
        Row *row = &search->rows[search->slots[slot]];
        if (row->type == type && row->sums.block_bytes == bytes && row->sums.kind == kind) {
            return row;
        }
    }
    if (search->row_count == MAX_ROWS) {
        return &search->rows[0];
    }
    search->slots[slot] = search->row_count;
    Row *row = &search->rows[search->row_count++];
    row->type = type;
    row->sums.block_bytes = bytes;
    row->sums.kind = kind;
    return row;
}

static void
write_rows(Search *search)
{
    Status *status = search->status;
    for (uint32_t i = 0; i < search->row_count; i++) {
        Row *row = &search->rows[i];
        text_clear(&search->text);
        if (row->type) {
            text_type_name(&search->text, row->type);
        }
        size_t bytes = lost_row_bytes(search->text.length);
        if (row->sums.blocks + row->sums.garbage == 0 || bytes > STATUS_BYTES - sizeof(Status) - status->row_bytes) {
            continue;
        }
        row->sums.name_length = (uint32_t)search->text.length;
        memcpy(status->rows + status->row_bytes, &row->sums, sizeof(row->sums));
        memcpy(status->rows + status->row_bytes + sizeof(row->sums), search->text.bytes, search->text.length);
        status->row_bytes += bytes;
    }
}

/* ---- references among the blocks that nothing reaches --------------------------------------------------------- */

typedef void (*VisitBlock)(Search *search, Block block);

/* Call `visit` for each used block. */
static void
each_block(Search *search, VisitBlock visit)
{
    for (size_t i = 0; i < areas_count(&search->areas); i++) {
        Area *area = areas_get(&search->areas, i);
        for (size_t word = 0; word < area_words(area); word++) {
            for (uint64_t bits = area->used[word]; bits; bits &= bits - 1) {
                visit(search, (Block){area, word * 64 + (uint64_t)__builtin_ctzll(bits)});
            }
        }
    }
}

static void
push(Search *search, Block block)
{
    if (stack_reserve(&search->pending, 1) < 0) {
        fault_raise(&search->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    ((Block *)search->pending.items)[search->pending.count++] = block;
}

static void
pop_all(Search *search, VisitBlock visit)
{
    while (search->pending.count > 0) {
        visit(search, ((Block *)search->pending.items)[--search->pending.count]);
    }
}

/* Call `visit` for each word of a block that may be a reference. Items of a list are those of its object. */
static void
each_reference(Search *search, Block block, void (*visit)(void *, uintptr_t))
{
    Unreached *unreached = unreached_of(search, block);
    if (unreached->content == CONTENT_UNKNOWN || unreached->content == CONTENT_ITEMS) {
        return;
    }
    PyObject *object = object_in(search, block);
    Block items;
    if (object && PyList_CheckExact(object) && areas_find(&search->areas, (uintptr_t)((PyListObject *)object)->ob_item, &items)
        && (size_t)Py_SIZE(object) <= block_bytes(items) / sizeof(PyObject *)) {
        visit(search, (uintptr_t)((PyListObject *)object)->ob_item);
        for (Py_ssize_t i = 0; i < Py_SIZE(object); i++) {
            visit(search, (uintptr_t)((PyListObject *)object)->ob_item[i]);
        }
        return;
    }
    mark_words(&search->marker, block, visit, search);
}

static void
find_object(Search *search, Block block)
{
    PyObject *object = block_object(&search->objects, block);
    if (object) {
        unreached_of(search, block)->content = CONTENT_OBJECT;
        unreached_of(search, block)->offset = (uint8_t)((uintptr_t)object - block_begin(block));
    }
}

static void
find_items(Search *search, Block block)
{
    PyObject *object = object_in(search, block);
    Block items;
    if (object && PyList_CheckExact(object)
        && areas_find(&search->areas, (uintptr_t)((PyListObject *)object)->ob_item, &items) && !object_in(search, items)) {
        unreached_of(search, items)->content = CONTENT_ITEMS;
    }
}

/* Count a reference; one to an object must be its address. Memory without an object belongs to that which refers to it. */
static void
count_reference(void *argument, uintptr_t word)
{
    Search *search = argument;
    Block block;
    if (!areas_find(&search->areas, word, &block)) {
        return;
    }
    PyObject *object = object_in(search, block);
    Unreached *target = unreached_of(search, block);
    target->references += !object || (uintptr_t)object == word;
    if (target->content == CONTENT_UNKNOWN) {
        target->content = CONTENT_OF_OBJECT;
        push(search, block);
    }
}

static void
count_references(Search *search, Block block)
{
    each_reference(search, block, count_reference);
}

static void
count_references_of_object(Search *search, Block block)
{
    if (object_in(search, block)) {
        count_references(search, block);
        pop_all(search, count_references);
    }
}

/* ---- what is lost, and what is garbage ------------------------------------------------------------------------ */

static void
follow(void *argument, uintptr_t word)
{
    Search *search = argument;
    Block block;
    if (areas_find(&search->areas, word, &block) && !bit_get(block.area->reached, block.place)) {
        bit_set(block.area->reached, block.place);
        push(search, block);
    }
}

/* Count a block that a source leads to, or that is one. */
static void
count_lost(Search *search, Block block)
{
    Row *row = row_of(search, block);
    row->sums.blocks++;
    row->sums.bytes += block_bytes(block);
    search->lost_bytes += block_bytes(block);
    each_reference(search, block, follow);
}

/* Return whether a block is lost by itself: more references to it are counted than there are; or it is no object, and
 * no object leads to it. */
static int
is_source(const Search *search, Block block)
{
    const Unreached *unreached = unreached_of(search, block);
    PyObject *object = object_in(search, block);
    return object ? unreached->references < compat_reference_count(object) : unreached->content == CONTENT_UNKNOWN;
}

static void
count_source(Search *search, Block block)
{
    if (!is_source(search, block)) {
        return;
    }
    Row *row = row_of(search, block);
    row->sums.sources++;
    if (!bit_get(block.area->reached, block.place)) {
        bit_set(block.area->reached, block.place);
        uint64_t before = search->lost_bytes;
        push(search, block);
        pop_all(search, count_lost);
        row->sums.source_bytes += search->lost_bytes - before;
    }
}

static void
count_garbage(Search *search, Block block)
{
    if (!bit_get(block.area->reached, block.place)) {
        Row *row = row_of(search, block);
        row->sums.garbage++;
        row->sums.garbage_bytes += block_bytes(block);
    }
}

static void
count_unreached(Search *search)
{
    uint32_t count = areas_keep_unreached(&search->areas);
    search->unreached = arena_alloc(&search->arena, count * sizeof(Unreached));
    search->rows = arena_alloc(&search->arena, MAX_ROWS * sizeof(Row));
    search->slots = arena_alloc(&search->arena, ROW_SLOTS * sizeof(uint32_t));
    search->row_count = 1;
    each_block(search, find_object);
    each_block(search, find_items);
    each_block(search, count_references_of_object);
    each_block(search, count_source);
    each_block(search, count_garbage);
    write_rows(search);
}

/* ---- the search ----------------------------------------------------------------------------------------------- */

static void
count_used(Search *search)
{
    LostCounts *counts = &search->status->lost;
    for (size_t i = 0; i < areas_count(&search->areas); i++) {
        Area *area = areas_get(&search->areas, i);
        for (size_t word = 0; word < area_words(area); word++) {
            counts->used_blocks += (uint64_t)__builtin_popcountll(area->used[word]);
        }
    }
    for (size_t i = 0; i < mappings_count(&search->mappings); i++) {
        const Mapping *mapping = mappings_get(&search->mappings, i);
        uintptr_t end = mapping->kind == MAPPING_ANONYMOUS ? mapping->end : mapping->begin;
        for (uintptr_t page = mapping->begin; page < end; page += PAGE_BYTES) {
            counts->unknown_bytes += areas_at(&search->areas, page) ? 0 : PAGE_BYTES;
        }
    }
}

static void
find_areas(Search *search)
{
    LostCounts *counts = &search->status->lost;
    counts->pools = pools_find(&search->areas, &search->mappings);
    HeapCounts heaps = chunks_find(&search->areas, &search->mappings);
    counts->heaps = heaps.heaps;
    counts->heap_bytes = heaps.bytes;
    counts->broken_heaps = heaps.broken;
    count_used(search);
}

static void
remove_range(Search *search, const void *begin, const void *end)
{
    if (begin < end) {
        mappings_remove(&search->mappings, (uintptr_t)begin, (uintptr_t)end);
    }
}

/* Remove what is no root: frames of functions that have returned, links of the collector, and what is left over in the
 * interpreter's lists of freed objects. */
static void
remove_no_roots(Search *search, PyInterpreterState *interp)
{
    char *frame = __builtin_frame_address(0);
    const Mapping *stack = mappings_at(&search->mappings, (uintptr_t)frame);
    if (stack) {
        size_t below = (uintptr_t)frame - stack->begin;
        remove_range(search, frame - (below > STACK_BYTES ? STACK_BYTES : below), frame);
    }
    for (PyThreadState *thread = compat_first_thread(interp); thread; thread = thread->next) {
        remove_range(search, thread->datastack_top, thread->datastack_limit);
    }
    for (int generation = 0; generation < GC_LISTS; generation++) {
        PyGC_Head *head = compat_gc_list(interp, generation);
        remove_range(search, head, head + 1);
    }
    for (int number = 0; number < FREE_LISTS; number++) {
        FreeList list = compat_free_list(interp, number);
        void *const *items = list.items;
        remove_range(search, items + list.count, items + list.capacity);
    }
}

static void
find_lost(Search *search, PyInterpreterState *interp)
{
    mappings_read(&search->mappings, &search->fault);
    areas_init(&search->areas, &search->arena);
    types_init(&search->types, &search->arena, 0);
    mark_init(&search->marker, &search->fault, &search->areas, &search->types);
    find_areas(search);
    remove_no_roots(search, interp);
    mark_links(&search->marker, interp);
    mark_roots(&search->marker, &search->mappings);
    count_unreached(search);
}

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
lost_run(const Job *job, Status *status)
{
    Search search;
    uint64_t began = now_ns();
    memset(&search, 0, sizeof(search));
    search.status = status;
    search.arena.fault = &search.fault;
    search.objects.mappings = &search.mappings;
    search.pending.item_bytes = sizeof(Block);
    if (setjmp(search.fault.escape) == 0) {
        find_lost(&search, job->interp);
    }
    status->fault = search.fault.code;
    status->os_error = (uint32_t)search.fault.os_error;
    status->walk_ns = now_ns() - began;
    /* The clone ends now, and its memory with it. */
    status->is_done = 1;
}
