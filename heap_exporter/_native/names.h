/* Which name each edge of an object has: found by looking for what the object's structure holds among its referents. */
#ifndef HEAP_EXPORTER_NAMES_H
#define HEAP_EXPORTER_NAMES_H

#include "walk.h"

enum { MAX_NAMES = 256, MAX_NAMESPACES = 4 };

/* A name: the address of a str, or that of a C string with the lowest bit set; 0 for none. */
typedef uintptr_t Name;

typedef struct {
    PyObject *value;
    Name name;
} Candidate;

/* The names of an object's first edges. */
typedef struct Names {
    size_t count;
    Name names[MAX_NAMES];
    PyCodeObject *closure_code; /* names the cells of a function's closure; NULL for what has none */
    PyObject *namespaces[MAX_NAMESPACES]; /* dicts whose keys are names of attributes */
    size_t namespace_count;
    size_t candidate_count;
    Candidate candidates[MAX_NAMES];
} Names;

static inline Name
name_of_str(PyObject *str)
{
    return (Name)str;
}

/* Return the str that a name is, NULL for a C string or none. */
static inline PyObject *
name_str(Name name)
{
    return name & 1 ? NULL : (PyObject *)name;
}

/* Return what a weak reference points at, NULL once it is gone. */
static inline PyObject *
names_weak_referent(PyObject *reference)
{
    PyObject *object = ((PyWeakReference *)reference)->wr_object;
    return object == Py_None ? NULL : object;
}

/* Write a name into a text. */
void name_text(Text *text, Name name);

/* Find the names of an object's referents, of which the first `prefix` are no items of a container. Those of a weak
 * reference begin with one for what it points at, which is no referent. */
void names_of(Names *names, const TypeInfo *info, PyObject *object, PyObject **referents, size_t count, size_t prefix);

#endif
