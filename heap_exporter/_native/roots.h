/* References to objects from outside the heap: by the table of modules, and by frames and states of threads. */
#ifndef HEAP_EXPORTER_ROOTS_H
#define HEAP_EXPORTER_ROOTS_H

#include "walk.h"

/* Visit the objects that modules and threads refer to, and write them as roots of a graph. Frames of heap-exporter's
 * own functions are left out. */
void roots_walk(Walk *walk);

#endif
