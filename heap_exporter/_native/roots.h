/* What holds objects from outside the heap: modules, and the frames and states of threads. */
#ifndef HEAP_EXPORTER_ROOTS_H
#define HEAP_EXPORTER_ROOTS_H

#include "walk.h"

/* Visit what modules and threads hold; in a graph, say so. Frames of our own are passed over. */
void roots_walk(Walk *walk);

#endif
