#include "mark.h"

#include <errno.h>
#include <string.h>

enum {
    LINKS_BYTES = 16,
    FLOAT_BLOCK_BYTES = 32,
};

/* The part of a block that may contain pointers. */
typedef struct {
    uintptr_t begin;
    uintptr_t end;
} Range;

void
mark_init(Marker *marker, Fault *fault, Areas *areas, Types *types)
{
    memset(marker, 0, sizeof(*marker));
    marker->fault = fault;
    marker->areas = areas;
    marker->types = types;
    marker->pending.item_bytes = sizeof(uintptr_t);
}

/* ---- the garbage collector's links ---------------------------------------------------------------------------- */

static void
note_links(Marker *marker, const PyGC_Head *link)
{
    Block block;
    if (!areas_find(marker->areas, (uintptr_t)link, &block)) {
        return;
    }
    uintptr_t offset = (uintptr_t)link - block_begin(block);
    if (offset == 0 || offset == LINKS_BYTES) {
        bit_set(block.area->links[offset / LINKS_BYTES], block.place);
    }
}

void
mark_links(Marker *marker, PyInterpreterState *interp)
{
    for (int generation = 0; generation < GC_LISTS; generation++) {
        PyGC_Head *head = compat_gc_list(interp, generation);
        for (PyGC_Head *link = compat_gc_next(head); link != head;) {
            PyGC_Head *next = compat_gc_next(link);
            __builtin_prefetch(next);
            note_links(marker, link);
            link = next;
        }
    }
}

PyObject *
mark_tracked_object(Block block)
{
    for (int i = 0; i < 2; i++) {
        if (bit_get(block.area->links[i], block.place)) {
            return (PyObject *)(block_begin(block) + (uintptr_t)(i + 1) * LINKS_BYTES);
        }
    }
    return NULL;
}

int
mark_is_reference_count(const void *word)
{
    /* CPython 3.14 has flags in the upper 16 bits. An allocator writes an address into the first word of a free block. */
    uint64_t count = *(const uint64_t *)word;
    return (uint32_t)count != 0 && (count >> 32 & 0xffff) == 0;
}

/* ---- which words may be pointers ------------------------------------------------------------------------------ */

/* Return the size of an object whose contents are no references, 0 of any other; and how much of it may be some. */
static size_t
plain_size(PyObject *object, size_t *references)
{
    PyTypeObject *type = Py_TYPE(object);
    *references = 0;
    if (type == &PyBytes_Type) {
        return offsetof(PyBytesObject, ob_sval) + 1 + (size_t)((PyVarObject *)object)->ob_size;
    }
    if (type == &PyLong_Type) {
        return offsetof(PyLongObject, COMPAT_INT_DIGITS) + compat_int_digits(object) * sizeof(digit);
    }
    if (type == &PyUnicode_Type) {
        /* Its other forms have memory of their own. */
        PyASCIIObject *str = (PyASCIIObject *)object;
        *references = str->state.ascii && str->state.compact ? sizeof(PyASCIIObject) : sizeof(PyUnicodeObject);
        size_t head = str->state.ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
        return str->state.compact ? head + ((size_t)str->length + 1) * str->state.kind : sizeof(PyUnicodeObject);
    }
    return 0;
}

/* Return whether a block is a str, bytes, int or float. Its second word alone is no proof: it may be an item of a list
 * of types, or left over from an object that was freed. So the reference count and the size must agree. */
int
mark_is_plain(PyObject *object, size_t bytes, size_t *references)
{
    if (!mark_is_reference_count(object)) {
        return 0;
    }
    if (Py_TYPE(object) == &PyFloat_Type) {
        *references = 0;
        return bytes == FLOAT_BLOCK_BYTES;
    }
    size_t size = plain_size(object, references);
    return size > 0 && size <= bytes && size > bytes / 2;
}

/* Return whether a block is an object that the interpreter has freed and keeps for the next of its type. */
static int
is_kept_free(uintptr_t begin, size_t bytes)
{
    const uint64_t *links = (const uint64_t *)begin;
    PyObject *object = (PyObject *)(begin + LINKS_BYTES);
    if (bytes < LINKS_BYTES + sizeof(PyTupleObject) || links[0] || links[1] || mark_is_reference_count(object)) {
        return 0;
    }
    return Py_TYPE(object) == &PyTuple_Type || Py_TYPE(object) == &PyList_Type || Py_TYPE(object) == &PyDict_Type;
}

static Range
range_of_tracked(Marker *marker, PyObject *object, uintptr_t end)
{
    TypeInfo *info = types_get(marker->types, Py_TYPE(object));
    if (!info->is_weak) {
        return (Range){(uintptr_t)object, end};
    }
    /* A weak reference holds its callback, but not its referent, nor the next reference to that. */
    uintptr_t callback = (uintptr_t) & ((PyWeakReference *)object)->wr_callback;
    return (Range){callback, callback + sizeof(PyObject *)};
}

static Range
range_of(Marker *marker, Block block, PyObject *tracked)
{
    uintptr_t begin = block_begin(block);
    size_t bytes = block_bytes(block), references;
    if (tracked) {
        return range_of_tracked(marker, tracked, begin + bytes);
    }
    if (is_kept_free(begin, bytes)) {
        uintptr_t object = begin + LINKS_BYTES; /* what follows the address of the next one is left over */
        return (Range){object, object + compat_kept_free_bytes((PyObject *)object)};
    }
    if (mark_is_plain((PyObject *)begin, bytes, &references)) {
        return (Range){begin, begin + (references < bytes ? references : bytes)};
    }
    return (Range){begin, begin + bytes};
}

void
mark_words(Marker *marker, Block block, void (*visit)(void *, uintptr_t), void *argument)
{
    PyObject *tracked = mark_tracked_object(block);
    uintptr_t begin = block_begin(block);
    if (tracked && (uintptr_t)tracked - begin > LINKS_BYTES) { /* the words before the links are references */
        visit(argument, ((const uintptr_t *)begin)[0]);
        visit(argument, ((const uintptr_t *)begin)[1]);
    }
    Range range = range_of(marker, block, tracked);
    for (const uintptr_t *word = (const uintptr_t *)range.begin; (uintptr_t)(word + 1) <= range.end; word++) {
        visit(argument, *word);
    }
}

/* ---- marking -------------------------------------------------------------------------------------------------- */

static inline void
reach(Marker *marker, Block block)
{
    if (bit_get(block.area->reached, block.place)) {
        return;
    }
    bit_set(block.area->reached, block.place);
    uintptr_t begin = block_begin(block);
    __builtin_prefetch((const void *)begin);
    if (marker->pending.count == marker->pending.capacity && stack_reserve(&marker->pending, 1) < 0) {
        fault_raise(marker->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    ((uintptr_t *)marker->pending.items)[marker->pending.count++] = begin;
}

static inline void
follow(void *argument, uintptr_t word)
{
    Marker *marker = argument;
    Block block;
    if (areas_find(marker->areas, word, &block)) {
        reach(marker, block);
    }
}

static void
drain(Marker *marker)
{
    while (marker->pending.count > 0) {
        Block block;
        uintptr_t begin = ((uintptr_t *)marker->pending.items)[--marker->pending.count];
        areas_find(marker->areas, begin, &block);
        mark_words(marker, block, follow, marker);
    }
}

static void
follow_range(Marker *marker, uintptr_t begin, uintptr_t end)
{
    for (const uintptr_t *word = (const uintptr_t *)begin; (uintptr_t)(word + 1) <= end; word++) {
        follow(marker, *word);
    }
    drain(marker);
}

void
mark_roots(Marker *marker, const Mappings *mappings)
{
    for (size_t i = 0; i < mappings_count(mappings); i++) {
        const Mapping *mapping = mappings_get(mappings, i);
        if (mapping->kind == MAPPING_READ_ONLY) {
            continue;
        }
        for (uintptr_t page = mapping->begin; page < mapping->end;) {
            uintptr_t end = (page | (PAGE_BYTES - 1)) + 1;
            end = end < mapping->end ? end : mapping->end;
            /* Before the first chunk of a heap are malloc's lists. */
            Area *area = areas_at(marker->areas, page);
            uintptr_t root_end = !area ? end : area->block_bytes || area->first < page ? page : area->first;
            follow_range(marker, page, root_end < end ? root_end : end);
            page = end;
        }
    }
}
