#include "walk.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "graph.h"
#include "names.h"
#include "own_objects.h"
#include "referents.h"
#include "roots.h"

/* How often a walk checks the time, as a mask. */
enum { OBJECTS_BETWEEN_CHECKS = 1023 };

static const char OTHER_TYPES[] = "(other types)";

static void
count(Walk *walk, TypeInfo *info, PyObject *object)
{
    info->objects++;
    info->bytes += info->fixed_size ? info->fixed_size : sizes_of(&walk->types, info, object);
}

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* End a walk in this process that holds the GIL longer than its limit. */
static void
check_time(Walk *walk)
{
    if (walk->job->max_ns && now_ns() - walk->began_ns > walk->job->max_ns) {
        fault_raise(&walk->fault, FAULT_TIMEOUT, 0);
    }
}

/* Count or write an object, and push a cursor over its referents. */
static void
visit(Walk *walk, TypeInfo *info, PyObject *object)
{
    if ((++walk->objects & OBJECTS_BETWEEN_CHECKS) == 0) {
        check_time(walk);
    }
    if (walk->job->kind != JOB_GRAPH) {
        count(walk, info, object);
    }
    if (info->is_leaf) {
        if (walk->job->kind == JOB_GRAPH) {
            graph_leaf(walk, info, object);
        }
        return;
    }
    Referents referents = referents_of(walk, info, object);
    int are_edges = object != walk->interned;
    if (walk->job->kind == JOB_GRAPH) {
        const Referents none = {NULL, 0, 0, 0, 1};
        graph_node(walk, info, object, are_edges ? &referents : &none);
    }
    if (info->is_weak && names_weak_referent(object)) {
        walk->references++;
    }
    if (stack_reserve(&walk->cursors, 1) < 0) {
        fault_raise(&walk->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    Cursor cursor = {referents.array, referents.begin, 0, referents.count, are_edges};
    ((Cursor *)walk->cursors.items)[walk->cursors.count++] = cursor;
}

/* Visit an object unless it is visited already or will be by a list of the collector. */
static void
reach(Walk *walk, PyObject *object)
{
    if (address_set_has(&walk->visited, object)) {
        return;
    }
    TypeInfo *info = types_get(&walk->types, Py_TYPE(object));
    if (types_can_follow(info, object) && compat_gc_tracked(object) && !walk->follow_tracked) {
        return;
    }
    address_set_add(&walk->visited, object);
    if (info->owner != OWNER_HEAP_EXPORTER) {
        visit(walk, info, object);
    }
}

/* Reach all objects that visited objects refer to, depth first. */
static void
drain(Walk *walk)
{
    while (walk->cursors.count > 0) {
        Cursor *cursor = &((Cursor *)walk->cursors.items)[walk->cursors.count - 1];
        if (cursor->next == cursor->end) {
            if (!cursor->array) {
                walk->referents.count = cursor->begin;
            }
            walk->cursors.count--;
            continue;
        }
        PyObject **items = cursor->array ? cursor->array : (PyObject **)walk->referents.items + cursor->begin;
        PyObject *object = items[cursor->next++];
        if (object) {
            walk->references += (uint64_t)cursor->are_edges;
            reach(walk, object);
        }
    }
}

void
walk_reach(Walk *walk, PyObject *object)
{
    reach(walk, object);
    drain(walk);
}

static void
walk_list(Walk *walk, int generation)
{
    PyGC_Head *head = compat_gc_list(walk->job->interp, generation);
    uint64_t found = 0;
    for (PyGC_Head *link = compat_gc_next(head); link != head; found++) {
        PyGC_Head *next = compat_gc_next(link);
        __builtin_prefetch(next);
        PyObject *object = compat_gc_object(link);
        if (!address_set_add(&walk->visited, object)) {
            TypeInfo *info = types_get(&walk->types, Py_TYPE(object));
            if (info->owner != OWNER_HEAP_EXPORTER) {
                visit(walk, info, object);
                drain(walk);
            }
        }
        link = next;
    }
    walk->status->generation_objects[generation] = found;
}

/* Write the counts of each type into the shared memory; the types that do not fit are summed in a last row. */
static void
write_rows(Walk *walk)
{
    Status *status = walk->status;
    size_t available = STATUS_BYTES - sizeof(Status) - status_row_bytes(sizeof(OTHER_TYPES));
    StatusRow other = {0, 0, sizeof(OTHER_TYPES) - 1};
    for (TypeInfo *info = walk->types.first; info; info = info->next) {
        if (info->objects == 0) {
            continue;
        }
        text_type_name(&walk->text, info->type);
        size_t bytes = status_row_bytes(walk->text.length);
        if (bytes > available - status->row_bytes) {
            other.objects += info->objects;
            other.bytes += info->bytes;
            continue;
        }
        StatusRow row = {info->objects, info->bytes, (uint32_t)walk->text.length};
        memcpy(status->rows + status->row_bytes, &row, sizeof(row));
        memcpy(status->rows + status->row_bytes + sizeof(row), walk->text.bytes, walk->text.length);
        status->row_bytes += bytes;
    }
    if (other.objects > 0) {
        memcpy(status->rows + status->row_bytes, &other, sizeof(other));
        memcpy(status->rows + status->row_bytes + sizeof(other), OTHER_TYPES, other.name_length);
        status->row_bytes += status_row_bytes(other.name_length);
    }
}

static void
walk_heap(Walk *walk)
{
    types_init(&walk->types, &walk->arena, walk->job->numpy_major);
    address_set_init(&walk->visited, &walk->arena);
    walk->follow_tracked = compat_gc_collecting(walk->job->interp);
    walk->interned = compat_tracked_interned_strings(walk->job->interp);
    own_objects_exclude(walk);
    if (walk->job->kind == JOB_GRAPH) {
        graph_begin(walk);
    }
    for (int generation = 0; generation < GC_LISTS; generation++) {
        walk_list(walk, generation);
    }
    roots_walk(walk);
    if (walk->job->kind == JOB_GRAPH) {
        graph_end(walk);
    }
    else {
        write_rows(walk);
    }
}

void
walk_run(const Job *job, Status *status)
{
    Walk walk;
    memset(&walk, 0, sizeof(walk));
    walk.began_ns = now_ns();
    walk.job = job;
    walk.status = status;
    walk.arena.fault = &walk.fault;
    walk.referents.item_bytes = sizeof(PyObject *);
    walk.pending.item_bytes = sizeof(PyObject *);
    walk.cursors.item_bytes = sizeof(Cursor);
    if (setjmp(walk.fault.escape) == 0) {
        walk_heap(&walk);
    }
    status->fault = walk.fault.code;
    status->os_error = (uint32_t)walk.fault.os_error;
    status->objects = walk.objects;
    status->references = walk.references;
    status->crc = walk.out.crc;
    status->file_bytes = walk.out.bytes;
    status->walk_ns = now_ns() - walk.began_ns;
    arena_free(&walk.arena);
    stack_free(&walk.referents);
    stack_free(&walk.pending);
    stack_free(&walk.cursors);
    status->is_done = 1;
}
