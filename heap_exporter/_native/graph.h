/* Writes the records of a graph: nodes with their edges, identifiers, threads, frames and roots. */
#ifndef HEAP_EXPORTER_GRAPH_H
#define HEAP_EXPORTER_GRAPH_H

#include "referents.h"

/* Roles of a root, as numbered in the file. */
typedef enum { ROLE_MODULE = 0, ROLE_VARIABLE = 1, ROLE_FRAME = 2, ROLE_INTERPRETER = 3 } Role;

void graph_begin(Walk *walk);

/* Write the node of an object that has edges. */
void graph_node(Walk *walk, TypeInfo *info, PyObject *object, const Referents *referents);

/* Write the node of an object without edges. */
void graph_leaf(Walk *walk, TypeInfo *info, PyObject *object);

void graph_thread(Walk *walk, PyThreadState *thread);

void graph_frame(Walk *walk, uint64_t depth, PyObject *function, PyCodeObject *code);

/* Write a root: a reference to an object from outside the heap, named `walk->text`. */
void graph_root(Walk *walk, Role role, int owned, PyObject *object);

/* Write the END record and fsync the file. */
void graph_end(Walk *walk);

#endif
