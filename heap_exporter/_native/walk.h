/* A walk over the whole heap: every tracked object, and every object that is reachable from those, each once. */
#ifndef HEAP_EXPORTER_WALK_H
#define HEAP_EXPORTER_WALK_H

#include "types.h"

#include "address_set.h"
#include "status.h"
#include "text.h"
#include "writer.h"

typedef enum {
    JOB_CENSUS, /* count all objects by type */
    JOB_GRAPH,  /* write all objects and references to `file` */
    JOB_LOST,   /* find the memory that no pointer leads to; only in a clone */
} JobKind;

/* What to walk and what to write. The references are borrowed; the caller keeps them until the walk has started. */
typedef struct {
    PyInterpreterState *interp;
    PyObject *modules;    /* sys.modules */
    PyObject *own_roots;  /* tuple: heap-exporter's modules, and its objects that are reachable from no module */
    PyObject *not_own;    /* tuple: objects that heap-exporter's modules share with the application */
    uint64_t max_ns;     /* how long the walk may take; 0 for no limit */
    JobKind kind;
    int with_keys;        /* also write the keys of plain dicts */
    int numpy_major;
    int file;
    uint32_t crc;
} Job;

/* The position of the walk within the referents of an object. */
typedef struct {
    PyObject **array; /* NULL: they are on the stack of referents */
    size_t begin, next, end;
    int are_edges; /* 0: reached, but without counted references */
} Cursor;

typedef struct {
    Fault fault;
    const Job *job;
    Status *status;
    Arena arena;
    AddressSet visited;
    AddressSet named; /* dicts whose keys are in the file as identifiers, and those keys */
    Types types;
    Stack referents; /* of PyObject * */
    Stack cursors;   /* of Cursor */
    Stack pending;   /* of PyObject *: heap-exporter's own objects to follow */
    PyObject *interned; /* the table of interned strings, whose references do not count; NULL if it is not tracked */
    uint64_t began_ns;
    int follow_tracked; /* a collection is in progress, so not every tracked object is in a list */
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

/* Run the job and write the outcome to `status`. Never raises and never calls Python code. */
void walk_run(const Job *job, Status *status);

/* Visit an object, and all that is reachable from it, unless it is visited already or will be by a list of the
 * collector. */
void walk_reach(Walk *walk, PyObject *object);

#endif
