/* Conservative marking: each word that could be a pointer is one. */
#ifndef HEAP_EXPORTER_MARK_H
#define HEAP_EXPORTER_MARK_H

#include "types.h"

#include "areas.h"

typedef struct {
    Fault *fault;
    Areas *areas;
    Types *types;
    Stack pending; /* of uintptr_t: addresses in reached blocks whose pointers are to be followed */
} Marker;

void mark_init(Marker *marker, Fault *fault, Areas *areas, Types *types);

/* Note which blocks the garbage collector tracks. Their links lead from each to the next, and are no references. */
void mark_links(Marker *marker, PyInterpreterState *interp);

/* Reach all blocks that the memory in the mappings leads to, which belongs to no area. */
void mark_roots(Marker *marker, const Mappings *mappings);

/* Call `visit` for each word of a block that may be a pointer. */
void mark_words(Marker *marker, Block block, void (*visit)(void *argument, uintptr_t word), void *argument);

/* Return the object in a block that the garbage collector tracks, NULL if there is none. */
PyObject *mark_tracked_object(Block block);

/* Return whether a block contains a str, bytes, int or float; and how many of its first bytes may be references. */
int mark_is_plain(PyObject *object, size_t bytes, size_t *references);

/* Return whether a word may be the reference count of an object. */
int mark_is_reference_count(const void *word);

#endif
