/* Heap-exporter's own objects, which a walk leaves out.
 *
 * They are the instances of its classes, and the objects that are reachable from its modules and from the given roots
 * without passing through a module, class, function or instance of another package. The same rule in Python is
 * heap_exporter/walker/own_objects.py.
 */
#ifndef HEAP_EXPORTER_OWN_OBJECTS_H
#define HEAP_EXPORTER_OWN_OBJECTS_H

#include "walk.h"

/* Mark heap-exporter's own objects as visited. */
void own_objects_exclude(Walk *walk);

/* Return whether a str is the name of heap-exporter's package or of a module in it. */
int is_own_package_name(PyObject *name);

/* Return whether a function was defined in heap-exporter's package. */
int is_own_function(PyObject *function);

#endif
