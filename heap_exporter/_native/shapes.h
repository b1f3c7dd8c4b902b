/* Shapes: a type, and the names of its first edges. Instances with the same attributes share one. */
#ifndef HEAP_EXPORTER_SHAPES_H
#define HEAP_EXPORTER_SHAPES_H

#include "names.h"

typedef enum { SHAPE_FIXED_SIZE = 1, SHAPE_LEAF = 2, SHAPE_WEAK = 4, SHAPE_NO_TAIL = 8 } ShapeFlags;

struct Shape {
    TypeInfo *info;
    uint64_t hash;
    uint64_t index; /* in the file */
    unsigned flags;
    PyCodeObject *code;
    size_t count;
    Name *names;
};

typedef struct ShapeTable {
    Arena *arena;
    Shape **slots;
    size_t capacity;
    size_t count;
} ShapeTable;

void shapes_init(ShapeTable *shapes, Arena *arena);

/* Return the shape of an object, written to the file when it is new. */
Shape *shapes_get(Walk *walk, TypeInfo *info, Names *names, unsigned flags);

#endif
