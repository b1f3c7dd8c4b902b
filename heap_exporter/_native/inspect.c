#include "inspect.h"

#include <string.h>

#include "names.h"
#include "referents.h"

static void
prepare(Walk *walk, Status *status, const Job *job)
{
    memset(walk, 0, sizeof(*walk));
    memset(status, 0, sizeof(*status));
    walk->job = job;
    walk->status = status;
    walk->arena.fault = &walk->fault;
    walk->referents.item_bytes = sizeof(PyObject *);
}

static void
release(Walk *walk)
{
    arena_free(&walk->arena);
    stack_free(&walk->referents);
}

PyObject *
inspect_sizes(PyObject *objects, int numpy_major)
{
    Walk walk;
    Status status;
    const Job job = {0};
    Py_ssize_t count = PyTuple_GET_SIZE(objects);
    PyObject *list = PyList_New(count);
    if (!list) {
        return NULL;
    }
    prepare(&walk, &status, &job);
    if (setjmp(walk.fault.escape) != 0) {
        release(&walk);
        Py_DECREF(list);
        return PyErr_NoMemory();
    }
    types_init(&walk.types, &walk.arena, numpy_major);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *object = PyTuple_GET_ITEM(objects, i);
        TypeInfo *info = types_get(&walk.types, Py_TYPE(object));
        PyObject *size = PyLong_FromSize_t(sizes_of(&walk.types, info, object));
        if (!size) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, size);
    }
    release(&walk);
    return list;
}

/* Return a list of (name, referent). */
static PyObject *
edges_as_list(Walk *walk, PyObject *const *referents, const Names *names, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        name_text(&walk->text, i < names->count ? names->names[i] : 0);
        PyObject *edge = Py_BuildValue("(s#O)", walk->text.bytes, (Py_ssize_t)walk->text.length, referents[i]);
        if (!edge) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, edge);
    }
    return list;
}

/* Return the edges of an object. It owns references to them first: creating a list can run the collector, which can
 * run any code. */
static PyObject *
edges_of(Walk *walk, const TypeInfo *info, PyObject *object)
{
    Referents found = referents_of(walk, info, object);
    PyObject **items = referents_items(walk, &found);
    Names *names = arena_alloc(&walk->arena, sizeof(Names));
    PyObject **referents = arena_alloc(&walk->arena, found.count * sizeof(PyObject *));
    names_of(names, info, object, items, found.count, found.prefix);
    for (size_t i = 0; i < found.count; i++) {
        referents[i] = Py_NewRef(items[i] ? items[i] : Py_None);
    }
    for (size_t i = 0; i < names->count; i++) {
        Py_XINCREF(name_str(names->names[i]));
    }
    PyObject *list = edges_as_list(walk, referents, names, found.count);
    for (size_t i = 0; i < names->count; i++) {
        Py_XDECREF(name_str(names->names[i]));
    }
    for (size_t i = 0; i < found.count; i++) {
        Py_DECREF(referents[i]);
    }
    return list;
}

PyObject *
inspect_edges(PyObject *object)
{
    Walk walk;
    Status status;
    const Job job = {0};
    PyObject *list = NULL;
    prepare(&walk, &status, &job);
    if (setjmp(walk.fault.escape) != 0) {
        release(&walk);
        return PyErr_NoMemory();
    }
    types_init(&walk.types, &walk.arena, 0);
    TypeInfo *info = types_get(&walk.types, Py_TYPE(object));
    list = info->is_leaf ? PyList_New(0) : edges_of(&walk, info, object);
    release(&walk);
    return list;
}

/* Return which of the collector's lists does not match the headers, NULL if all do. `newest` was tracked last. */
static const char *
gc_problem(PyInterpreterState *interp, PyObject *newest)
{
    if (!PyObject_IS_GC(newest) || !compat_gc_tracked(newest)) {
        return "the links of the collector";
    }
    if (compat_gc_next((PyGC_Head *)newest - 1) != compat_gc_list(interp, 0)) {
        return "the youngest generation";
    }
    for (int generation = 0; generation < GC_LISTS; generation++) {
        PyGC_Head *head = compat_gc_list(interp, generation);
        PyGC_Head *last = (PyGC_Head *)(head->_gc_prev & ~(uintptr_t)3);
        if (!last || compat_gc_next(last) != head) {
            return "a list of the collector";
        }
    }
    return NULL;
}

const char *
inspect_layout(PyObject *code)
{
    PyObject *newest = PyList_New(0);
    if (!newest) {
        return NULL;
    }
    const char *problem = gc_problem(PyInterpreterState_Get(), newest);
    Py_DECREF(newest);
    Frame *frame = compat_top_frame(PyThreadState_Get());
    if (!problem && (!frame || (PyObject *)compat_frame_code(frame) != code)) {
        problem = "the frames of threads";
    }
    return problem ? problem : "";
}
