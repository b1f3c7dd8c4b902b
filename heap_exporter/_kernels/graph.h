#ifndef HEAP_EXPORTER_KERNELS_GRAPH_H
#define HEAP_EXPORTER_KERNELS_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "index.h"
#include "memory.h"
#include "strings.h"

/* The value of an edge slot that refers to nothing, or to an object outside of the file. */
#define EMPTY UINT32_MAX
#define NO_TYPE UINT32_MAX
#define NO_GROUP UINT32_MAX
#define NO_NAME UINT32_MAX

/* The constants of the file format; heapfile/format.py documents them. */
enum { END, TYPE, SHAPE, NAME, THREAD, FRAME, ROOT, COUNT, NODE };
enum { PLAIN, SEQUENCE, MAPPING, SET };
enum { FIXED_SIZE = 1, LEAF = 2, WEAK = 4, NO_TAIL = 8 };
enum { MODULE, LOCAL, HELD_BY_FRAME, HELD_BY_INTERPRETER };

/* The label of an edge: a role, or LABEL_NAME plus the number of a string. */
enum { LABEL_REFERENT, LABEL_ITEM, LABEL_KEY, LABEL_VALUE, LABEL_WEAK, LABEL_NAME = 8 };
#define NO_LABEL UINT32_MAX

/* Nodes that stand for references from outside of the graph. One for each thread and each frame follow. */
enum { HOLDER_ROOT, HOLDER_MODULES, HOLDER_THREADS, HOLDER_INTERPRETER, HOLDER_OUTSIDE, HOLDER_GARBAGE, HOLDERS };

typedef struct {
    uint32_t name;
    uint32_t kind;
} Type;

typedef struct {
    uint64_t size;
    uint32_t type;
    uint8_t flags;
    uint8_t kind;
    size_t names; /* the position of its names in shape_names; the names of its cells follow */
    uint32_t name_count;
    uint32_t cell_count;
} Shape;

typedef struct {
    uint64_t place;
    uint32_t string;
} Named;

typedef struct {
    uint64_t place;
    uint32_t holder;
    uint32_t name;
    uint8_t role;
} Root;

typedef struct {
    uint64_t ident; /* of a thread */
    uint32_t name;  /* of a frame: the number of its function */
    uint32_t parent;
    int is_frame;
} Holder;

typedef struct {
    uint32_t holder;
    uint32_t target;
    uint32_t label;
} RootEdge;

typedef struct {
    uint32_t slot;
    uint32_t target;
} WeakEdge;

typedef struct {
    uint64_t place;
    uint32_t edges;
} NodeStub;

typedef struct {
    uint32_t parent;
    uint32_t label; /* from LABEL_CLOSURE on a closure: the shape of the function has the names of its cells */
    uint32_t type;
    uint32_t depth;
} Group;

typedef struct {
    uint32_t *slots;
    size_t capacity; /* a power of two */
} Table;

/* A snapshot in memory. Nodes are the objects in the order of their addresses, then the holders. */
typedef struct {
    Strings strings, types, functions;
    VECTOR(Type) type_records;
    VECTOR(Shape) shapes;
    VECTOR(uint32_t) shape_names;
    VECTOR(Named) named;
    VECTOR(Root) roots;
    VECTOR(Holder) holders;
    VECTOR(NodeStub) node_stubs;
    Index index;

    uint32_t objects;
    uint64_t references, unknown_references, bytes;
    uint32_t *offsets, *targets, *shape_of, *reference_counts;
    uint32_t *group_names; /* by string: the one that names the groups behind its edges */
    uint64_t *sizes;

    Table names_of_objects; /* slots are positions in `named`, plus one */
    VECTOR(WeakEdge) weak_edges;
    VECTOR(RootEdge) root_edges;
    uint32_t *group_of;
    VECTOR(Group) groups;
    Table group_table;
    uint32_t dict_label; /* "__dict__": the dicts of an object and of its holder are never folded */
    uint32_t coroutine_type;

    uint32_t *idom, *preorder, *subtree;
    uint64_t *retained;
} Graph;

static inline const Shape *
shape_of(const Graph *graph, uint32_t object)
{
    return &graph->shapes.items[graph->shape_of[object]];
}

static inline uint32_t
type_of(const Graph *graph, uint32_t object)
{
    return shape_of(graph, object)->type;
}

/* Return whether the first edge of the shape's objects is weak. */
static inline int
first_edge_is_weak(const Shape *shape)
{
    return shape->flags & WEAK && (shape->name_count || shape->flags & NO_TAIL || shape->kind == PLAIN);
}

static inline uint32_t
label_of_name(uint32_t name, uint32_t unnamed)
{
    return name == NO_NAME ? unnamed : LABEL_NAME + name;
}

#endif
