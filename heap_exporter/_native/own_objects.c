#include "own_objects.h"

#include <errno.h>
#include <string.h>

#include "referents.h"

static const char PACKAGE[] = "heap_exporter";

int
is_own_package_name(PyObject *name)
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
is_own_function(PyObject *function)
{
    return PyFunction_Check(function)
           && is_own_package_name(text_in_namespace(((PyFunctionObject *)function)->func_globals, "__name__"));
}

static int
is_own(const TypeInfo *info, PyObject *object)
{
    switch (info->owner) {
        case OWNER_HEAP_EXPORTER:
        case OWNER_REFERRER:
            return 1;
        case OWNER_MODULE:
            return is_own_package_name(text_in_namespace(PyModule_GetDict(object), "__name__"));
        case OWNER_FUNCTION:
            return is_own_function(object);
        case OWNER_CLASS:
            return is_own_package_name(text_module_of((PyTypeObject *)object));
        case OWNER_OTHER:
            break;
    }
    return 0;
}

static int
is_shared(const Walk *walk, PyObject *object)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(walk->job->not_own); i++) {
        if (PyTuple_GET_ITEM(walk->job->not_own, i) == object) {
            return 1;
        }
    }
    return 0;
}

/* Mark an object that one of heap-exporter's own objects refers to as visited, and push it to be followed. */
static void
exclude(Walk *walk, Stack *pending, PyObject *object)
{
    if (!object || address_set_has(&walk->visited, object) || is_shared(walk, object)) {
        return;
    }
    if (!is_own(types_get(&walk->types, Py_TYPE(object)), object)) {
        return;
    }
    address_set_add(&walk->visited, object);
    if (stack_reserve(pending, 1) < 0) {
        fault_raise(&walk->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    ((PyObject **)pending->items)[pending->count++] = object;
}

void
own_objects_exclude(Walk *walk)
{
    Stack *pending = &walk->pending;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(walk->job->own_roots); i++) {
        exclude(walk, pending, PyTuple_GET_ITEM(walk->job->own_roots, i));
    }
    while (pending->count > 0) {
        PyObject *object = ((PyObject **)pending->items)[--pending->count];
        TypeInfo *info = types_get(&walk->types, Py_TYPE(object));
        if (info->is_leaf) {
            continue;
        }
        Referents referents = referents_of(walk, info, object);
        for (size_t i = 0; i < referents.count; i++) {
            exclude(walk, pending, referents_items(walk, &referents)[i]);
        }
        referents_pop(walk, &referents);
    }
}
