/* A walk over the whole heap: every tracked object, and every other one that is reachable from those, each once. */
#ifndef HEAP_EXPORTER_WALK_H
#define HEAP_EXPORTER_WALK_H

#include "types.h"

#include "places.h"
#include "status.h"
#include "text.h"
#include "writer.h"

/* What to walk, and for what. The objects are borrowed; they live while whoever asked waits or was cloned. */
typedef struct {
    PyInterpreterState *interp;
    PyObject *modules;    /* sys.modules */
    PyObject *own_roots;  /* tuple: our modules, and objects of ours that are reachable from no module */
    PyObject *not_own;    /* tuple: what our modules refer to that is everybody's */
    uint64_t max_ns;     /* how long the walk may take; 0 for as long as it takes */
    int is_graph;         /* write a graph to `file`; otherwise count by type */
    int with_keys;        /* also write the keys of plain dicts */
    int numpy_major;
    int file;
    uint32_t crc;
} Job;

/* Where the walk stands within the referents of an object. */
typedef struct {
    PyObject **array; /* NULL: they are on the stack of referents */
    size_t begin, next, end;
    int are_edges; /* 0: they are reached, but the object does not hold them */
} Cursor;

typedef struct {
    Fault fault;
    const Job *job;
    Status *status;
    Arena arena;
    Places visited;
    Places named; /* dicts whose keys, and str objects that, are in the file as identifiers */
    Types types;
    Stack referents; /* of PyObject * */
    Stack cursors;   /* of Cursor */
    Stack pending;   /* of PyObject *: objects of ours to follow */
    PyObject *interned; /* the table of interned strings, which holds none of them; NULL where it is not tracked */
    uint64_t began_ns;
    int follow_tracked; /* a collection is under way, so not every tracked object is in a list */
    uint64_t objects;
    uint64_t references;

    /* of a graph only */
    Writer out;
    struct ShapeTable *shapes;
    struct Names *names;
    uint64_t type_count;
    uint64_t last_place;
    Text text;
} Walk;

/* Do the job, and tell in `status` how it went: never raises, never calls into Python. */
void walk_run(const Job *job, Status *status);

/* Visit an object that something refers to, unless it was visited or will be by the collector's lists. */
void walk_reach(Walk *walk, PyObject *object);

#endif
