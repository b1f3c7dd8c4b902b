#include "own.h"

#include <errno.h>
#include <string.h>

#include "referents.h"

static const char PACKAGE[] = "heap_exporter";

int
own_is_package(PyObject *name)
{
    size_t length = sizeof(PACKAGE) - 1;
    if (!name || !PyUnicode_CheckExact(name) || !PyUnicode_IS_COMPACT_ASCII(name)
        || (size_t)PyUnicode_GET_LENGTH(name) < length) {
        return 0;
    }
    const char *text = PyUnicode_DATA(name);
    return memcmp(text, PACKAGE, length) == 0 && (text[length] == '\0' || text[length] == '.');
}

int
own_is_function(PyObject *function)
{
    return PyFunction_Check(function)
           && own_is_package(text_in_namespace(((PyFunctionObject *)function)->func_globals, "__name__"));
}

static int
is_own(const TypeInfo *info, PyObject *object)
{
    switch (info->owner) {
        case OWNER_US:
        case OWNER_REFERRER:
            return 1;
        case OWNER_MODULE:
            return own_is_package(text_in_namespace(PyModule_GetDict(object), "__name__"));
        case OWNER_FUNCTION:
            return own_is_function(object);
        case OWNER_CLASS:
            return own_is_package(text_module_of((PyTypeObject *)object));
        case OWNER_FOREIGN:
            break;
    }
    return 0;
}

static int
is_everybodys(const Walk *walk, PyObject *object)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(walk->job->not_own); i++) {
        if (PyTuple_GET_ITEM(walk->job->not_own, i) == object) {
            return 1;
        }
    }
    return 0;
}

/* Mark an object that something of ours refers to, and put it on the list of those to follow. */
static void
claim(Walk *walk, Stack *pending, PyObject *object)
{
    if (!object || places_has(&walk->visited, object) || is_everybodys(walk, object)) {
        return;
    }
    if (!is_own(types_get(&walk->types, Py_TYPE(object)), object)) {
        return;
    }
    places_add(&walk->visited, object);
    if (stack_reserve(pending, 1) < 0) {
        fault_raise(&walk->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    ((PyObject **)pending->items)[pending->count++] = object;
}

void
own_leave_out(Walk *walk)
{
    Stack *pending = &walk->pending;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(walk->job->own_roots); i++) {
        claim(walk, pending, PyTuple_GET_ITEM(walk->job->own_roots, i));
    }
    while (pending->count > 0) {
        PyObject *object = ((PyObject **)pending->items)[--pending->count];
        TypeInfo *info = types_get(&walk->types, Py_TYPE(object));
        if (info->is_leaf) {
            continue;
        }
        Referents referents = referents_of(walk, info, object);
        for (size_t i = 0; i < referents.count; i++) {
            claim(walk, pending, referents_items(walk, &referents)[i]);
        }
        referents_pop(walk, &referents);
    }
}
