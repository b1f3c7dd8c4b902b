/* Which objects are heap-exporter's own, so that a walk leaves them out.
 *
 * They are the instances of our classes, and what is reachable from our modules and from the given roots without
 * passing through an object that belongs to somebody else: a foreign module, class, function, or instance. The same
 * rule in Python is heap_exporter/walker/own.py.
 */
#ifndef HEAP_EXPORTER_OWN_H
#define HEAP_EXPORTER_OWN_H

#include "walk.h"

/* Mark what is ours as visited. */
void own_leave_out(Walk *walk);

/* Return whether a str names our package or a module in it. */
int own_is_package(PyObject *name);

/* Return whether a function was defined in our package. */
int own_is_function(PyObject *function);

#endif
