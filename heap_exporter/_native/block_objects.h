/* Recognises the object in a block that nothing need refer to. */
#ifndef HEAP_EXPORTER_BLOCK_OBJECTS_H
#define HEAP_EXPORTER_BLOCK_OBJECTS_H

#include "compat.h"

#include "areas.h"

enum { KNOWN_TYPES = 256 };

typedef struct {
    const Mappings *mappings;
    PyTypeObject *known_types[KNOWN_TYPES]; /* addresses that are types */
} BlockObjects;

/* Return the object in a used block, NULL if there is none. */
PyObject *block_object(BlockObjects *objects, Block block);

#endif
