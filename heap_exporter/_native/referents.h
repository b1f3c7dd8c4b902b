/* The objects that an object refers to, pushed onto the walk's stack of referents. */
#ifndef HEAP_EXPORTER_REFERENTS_H
#define HEAP_EXPORTER_REFERENTS_H

#include "walk.h"

typedef struct {
    PyObject **array; /* the object's own array of items; NULL: they are on the stack from `begin` on */
    size_t begin;
    size_t count;
    size_t prefix; /* how many come before the items of a container's subclass */
    int has_tail;  /* the container's items follow the prefix, in the order of the file */
} Referents;

/* Return the referents of an object: those of tp_traverse, and the keys of dicts that tp_traverse does not visit.
 *
 * Raises a fault without memory, or if a tp_traverse returns an error.
 */
Referents referents_of(Walk *walk, const TypeInfo *info, PyObject *object);

static inline PyObject **
referents_items(Walk *walk, const Referents *referents)
{
    return referents->array ? referents->array : (PyObject **)walk->referents.items + referents->begin;
}

/* Pop the referents that were pushed. */
static inline void
referents_pop(Walk *walk, const Referents *referents)
{
    if (!referents->array) {
        walk->referents.count = referents->begin;
    }
}

#endif
