#include "referents.h"

#include <errno.h>

static int
push(PyObject *object, void *walk)
{
    Stack *referents = &((Walk *)walk)->referents;
    if (referents->count == referents->capacity && stack_reserve(referents, 1) < 0) {
        ((Walk *)walk)->fault.code = FAULT_NO_MEMORY;
        return -1; /* ends the calling tp_traverse; a longjmp out of it would skip its clean-up */
    }
    ((PyObject **)referents->items)[referents->count++] = object;
    return 0;
}

static void
push_or_fail(Walk *walk, PyObject *object)
{
    if (push(object, walk) < 0) {
        fault_raise(&walk->fault, FAULT_NO_MEMORY, ENOMEM);
    }
}

static void
push_traversed(Walk *walk, const TypeInfo *info, PyObject *object)
{
    walk->status->walked_type = (uintptr_t)info->type;
    info->type->tp_traverse(object, push, walk);
    walk->status->walked_type = 0; /* a later crash has another cause */
    if (walk->fault.code != FAULT_NONE) {
        fault_raise(&walk->fault, FAULT_NO_MEMORY, ENOMEM);
    }
}

/* Push the items of a set; a deleted slot has hash -1, which no object has. */
static void
push_set(Walk *walk, PyObject *object)
{
    PySetObject *set = (PySetObject *)object;
    for (Py_ssize_t i = 0; i <= set->mask; i++) {
        if (set->table[i].key && set->table[i].hash != -1) {
            push_or_fail(walk, set->table[i].key);
        }
    }
}

static int
count_visit(PyObject *object, void *count)
{
    (void)object;
    ++*(size_t *)count;
    return 0;
}

/* Return whether the values of a dict are stored in the instance that it belongs to; then only the instance refers to
 * them. */
static int
values_are_elsewhere(PyObject *dict)
{
    size_t count = 0;
    if (!compat_dict_is_split(dict) || PyDict_GET_SIZE(dict) == 0) {
        return 0;
    }
    PyDict_Type.tp_traverse(dict, count_visit, &count);
    return count == 0;
}

static void
push_pairs(Walk *walk, PyObject *dict)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    int without_values = values_are_elsewhere(dict);
    while (PyDict_Next(dict, &position, &key, &value)) {
        push_or_fail(walk, key);
        push_or_fail(walk, without_values ? NULL : value);
    }
}

/* Push the keys of a dict, each as a pair without a value. */
static void
push_keys(Walk *walk, PyObject *dict)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &position, &key, &value)) {
        push_or_fail(walk, key);
        push_or_fail(walk, NULL);
    }
}

/* Return how many of the last referents are the items of a list or tuple, last item first; 0 if one is missing. */
static size_t
sequence_tail(PyObject *object, PyObject **referents, size_t count)
{
    size_t size = (size_t)Py_SIZE(object);
    PyObject **items = PyList_Check(object) ? ((PyListObject *)object)->ob_item : ((PyTupleObject *)object)->ob_item;
    if (size > count) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (referents[count - 1 - i] != items[i]) {
            return 0;
        }
    }
    return size;
}

/* Return how many of the last referents are the items of a dict in tp_traverse's order; 0 if one is missing. */
static size_t
mapping_tail(PyObject *dict, PyObject **referents, size_t count)
{
    int with_keys = compat_dict_visits_keys(dict);
    size_t size = (size_t)PyDict_GET_SIZE(dict) * (with_keys ? 2 : 1);
    Py_ssize_t position = 0;
    PyObject *key, *value;
    if (size > count) {
        return 0;
    }
    PyObject **next = referents + count - size;
    while (PyDict_Next(dict, &position, &key, &value)) {
        if (*next++ != value || (with_keys && *next++ != key)) {
            return 0;
        }
    }
    return size;
}

/* Sort the items of a container's subclass into the order of the file, and set where they begin. */
static void
order_tail(Walk *walk, const TypeInfo *info, PyObject *object, Referents *found)
{
    size_t tail;
    PyObject **items = referents_items(walk, found);
    if (info->kind == KIND_SEQUENCE) {
        tail = sequence_tail(object, items, found->count);
        for (size_t i = 0; i < tail / 2; i++) {
            PyObject **one = &items[found->count - tail + i], **other = &items[found->count - 1 - i];
            PyObject *swapped = *one;
            *one = *other;
            *other = swapped;
        }
        found->has_tail = tail == (size_t)Py_SIZE(object);
    }
    else if (info->kind == KIND_MAPPING) {
        tail = mapping_tail(object, items, found->count);
        found->has_tail = tail > 0 || PyDict_GET_SIZE(object) == 0;
        if (tail > 0) {
            /* tp_traverse of an OrderedDict visits the keys in its linked list first: a second reference to each. */
            size_t again = PyODict_Check(object) ? (size_t)PyDict_GET_SIZE(object) : 0;
            again = again <= found->count - tail ? again : 0;
            walk->referents.count -= tail + again;
            push_pairs(walk, object);
            if (again) {
                push_keys(walk, object);
            }
            tail += again;
        }
    }
    else {
        found->has_tail = 0;
        tail = 0;
    }
    found->prefix = found->count - tail;
    found->count = walk->referents.count - found->begin;
}

/* Push an instance's dict if tp_traverse of this CPython version does not visit it. */
static void
push_unvisited_dict(Walk *walk, const TypeInfo *info, PyObject *object, const Referents *found)
{
    PyObject *dict = compat_managed_dict(object, info->type);
    for (size_t i = found->begin; dict && i < walk->referents.count; i++) {
        if (((PyObject **)walk->referents.items)[i] == dict) {
            return;
        }
    }
    if (dict) {
        push_or_fail(walk, dict);
    }
}

/* Return the frame of Python code that a thread runs on top of this one, NULL if there is none. */
static Frame *
frame_above(Walk *walk, const Frame *frame)
{
    for (PyThreadState *thread = compat_first_thread(walk->job->interp); thread; thread = thread->next) {
        Frame *above = NULL;
        for (Frame *each = compat_top_frame(thread); each; each = each->previous) {
            if (each == frame) {
                return above;
            }
            above = compat_frame_code(each) ? each : above;
        }
    }
    return NULL;
}

/* Push what tp_traverse does not visit while a generator or coroutine runs: its variables, and the coroutine that it
 * awaits, which runs on top of it. */
static void
push_running(Walk *walk, PyObject *generator)
{
    Frame *frame = compat_generator_frame(generator);
    if (!frame || compat_frame_has_stored_stack(frame)) {
        return;
    }
    PyCodeObject *code = compat_any_frame_code(frame);
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        int owned;
        PyObject *value = compat_frame_variable(frame, i, &owned);
        if (value && owned) {
            push_or_fail(walk, value);
        }
    }
    Frame *above = frame_above(walk, frame);
    if (above && compat_frame_is_of_generator(above)) {
        push_or_fail(walk, compat_generator_of_frame(above));
    }
}

Referents
referents_of(Walk *walk, const TypeInfo *info, PyObject *object)
{
    Referents found = {NULL, walk->referents.count, 0, 0, 1};
    switch (info->edges) {
        case EDGES_LIST:
            found.array = ((PyListObject *)object)->ob_item;
            found.count = (size_t)Py_SIZE(object);
            return found;
        case EDGES_TUPLE:
            found.array = ((PyTupleObject *)object)->ob_item;
            found.count = (size_t)Py_SIZE(object);
            return found;
        case EDGES_DICT:
            push_pairs(walk, object);
            break;
        case EDGES_SET:
            push_set(walk, object);
            break;
        case EDGES_TRAVERSED:
            if (types_can_follow(info, object)) {
                push_traversed(walk, info, object);
            }
            if (info->namer == NAMER_GENERATOR) {
                push_running(walk, object);
            }
            break;
    }
    found.count = walk->referents.count - found.begin;
    if (info->is_subclassed_container) {
        order_tail(walk, info, object, &found);
    }
    else if (info->edges == EDGES_TRAVERSED) {
        push_unvisited_dict(walk, info, object, &found);
        found.count = walk->referents.count - found.begin;
        found.prefix = found.count;
    }
    return found;
}
