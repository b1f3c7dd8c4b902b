/* Properties of each type that a walk needs, computed once and found by the address of the class. */
#ifndef HEAP_EXPORTER_TYPES_H
#define HEAP_EXPORTER_TYPES_H

#include "compat.h"

#include "arena.h"

/* How the edges of a type's instances are found and read. */
typedef enum {
    EDGES_TRAVERSED, /* by tp_traverse */
    EDGES_LIST,
    EDGES_TUPLE,
    EDGES_DICT,
    EDGES_SET,
} EdgeSource;

/* What follows the named edges of an instance, as numbered in the file. */
typedef enum { KIND_PLAIN = 0, KIND_SEQUENCE = 1, KIND_MAPPING = 2, KIND_SET = 3 } Kind;

/* Which structure names the edges. */
typedef enum {
    NAMER_NONE,
    NAMER_INSTANCE,
    NAMER_MODULE,
    NAMER_TYPE,
    NAMER_FUNCTION,
    NAMER_CELL,
    NAMER_EXCEPTION,
    NAMER_TRACEBACK,
    NAMER_GENERATOR,
    NAMER_FRAME,
    NAMER_METHOD_IN_C,
} Namer;

/* Which __sizeof__ formula applies. */
typedef enum {
    SIZER_PLAIN,
    SIZER_LIST,
    SIZER_DICT,
    SIZER_SET,
    SIZER_INT,
    SIZER_STR,
    SIZER_BYTEARRAY,
    SIZER_CODE,
    SIZER_TYPE,
    SIZER_FRAME,
    SIZER_GENERATOR,
    SIZER_DEQUE,
    SIZER_ORDERED_DICT,
    SIZER_ARRAY,
    SIZER_NDARRAY,
    SIZER_BYTES_IO,
    SIZER_DECIMAL,
} Sizer;

/* Whether an instance that one of heap-exporter's own objects refers to is heap-exporter's own, too. */
typedef enum {
    OWNER_OTHER,         /* no: the class is another package's */
    OWNER_HEAP_EXPORTER,       /* yes: the class is heap-exporter's */
    OWNER_REFERRER, /* yes: a dict, list, cell, … belongs to the object that refers to it */
    OWNER_MODULE,        /* if the module is heap-exporter's */
    OWNER_FUNCTION,      /* if its module is */
    OWNER_CLASS,         /* if its module is */
} Owner;

typedef struct {
    const char *name;
    Py_ssize_t offset;
} Member;

typedef struct Shape Shape;

typedef struct TypeInfo {
    PyTypeObject *type;
    EdgeSource edges;
    Kind kind;
    Namer namer;
    Sizer sizer;
    Owner owner;
    int is_gc;
    int is_leaf; /* no instance has references that a walk could follow */
    int is_weak; /* instances are weak references */
    int is_subclassed_container; /* of a dict, list or tuple, with its own edges in front of the items */
    size_t fixed_size; /* in bytes; 0 when sizes differ */
    size_t member_count;
    Member *members;

    uint64_t objects;
    uint64_t bytes;

    int64_t file_index; /* -1 until the type is in the file */
    Shape *last_shape;
    size_t shape_count;
    struct TypeInfo *next;
} TypeInfo;

typedef struct {
    Arena *arena;
    int numpy_major;
    TypeInfo **slots;
    size_t capacity;
    size_t count;
    TypeInfo *first; /* in order of appearance */
    TypeInfo **last;
} Types;

/* `numpy_major` is the major version of the loaded numpy, 0 without numpy: the layout of arrays depends on it. */
void types_init(Types *types, Arena *arena, int numpy_major);

/* Return the properties of a new type. */
TypeInfo *types_add(Types *types, PyTypeObject *type);

static inline TypeInfo *
types_get(Types *types, PyTypeObject *type)
{
    size_t mask = types->capacity - 1;
    for (size_t i = ((uintptr_t)type >> 4 ^ (uintptr_t)type >> 12) & mask; types->slots[i]; i = (i + 1) & mask) {
        if (types->slots[i]->type == type) {
            return types->slots[i];
        }
    }
    return types_add(types, type);
}

/* Return whether an object can have edges: the collector can traverse it. */
static inline int
types_can_follow(const TypeInfo *info, PyObject *object)
{
    return info->is_gc && (!info->type->tp_is_gc || info->type->tp_is_gc(object));
}

/* Return the size that sys.getsizeof gives, in bytes. See sizes.c for what is not exact. */
size_t sizes_of(const Types *types, const TypeInfo *info, PyObject *object);

/* Return the formula for a type: that of the first class in its MRO that has a __sizeof__. */
Sizer sizes_sizer(PyTypeObject *type);

#endif
