/* The names of an object's edges, found by comparing the references in its structure with its referents. */
#ifndef HEAP_EXPORTER_NAMES_H
#define HEAP_EXPORTER_NAMES_H

#include "walk.h"

enum { MAX_NAMES = 256, MAX_NAMESPACES = 4 };

/* A name: the address of a str, or that of a C string with the lowest bit set; 0 for no name. */
typedef uintptr_t Name;

typedef struct {
    PyObject *value;
    Name name;
} Candidate;

/* The names of an object's first edges. */
typedef struct Names {
    size_t count;
    Name names[MAX_NAMES];
    PyCodeObject *code; /* of a function with a closure, or of a generator or coroutine; else NULL */
    PyObject *namespaces[MAX_NAMESPACES]; /* dicts whose keys are attribute names */
    size_t namespace_count;
    size_t candidate_count;
    Candidate candidates[MAX_NAMES];
} Names;

static inline Name
name_of_str(PyObject *str)
{
    return (Name)str;
}

/* Return the str of a name, NULL for a C string or no name. */
static inline PyObject *
name_str(Name name)
{
    return name & 1 ? NULL : (PyObject *)name;
}

/* Return the referent of a weak reference, NULL once it is dead. */
static inline PyObject *
names_weak_referent(PyObject *reference)
{
    PyObject *object = ((PyWeakReference *)reference)->wr_object;
    return object == Py_None ? NULL : object;
}

/* Set a text to a name. */
void name_text(Text *text, Name name);

/* Find the names of an object's referents; the first `prefix` of them are not items of a container. The names of a
 * weak reference begin with that of its (weak) referent, which is not in `referents`. */
void names_of(Names *names, const TypeInfo *info, PyObject *object, PyObject **referents, size_t count, size_t prefix);

#endif
