#ifndef HEAP_EXPORTER_KERNELS_ASYNCIO_PARTS_H
#define HEAP_EXPORTER_KERNELS_ASYNCIO_PARTS_H

#include "graph.h"

/* The part of a type in asyncio's scheduling. */
typedef enum {
    PART_NONE,
    PART_TASK,
    PART_CALLBACK, /* a handle: a callback that the loop will run later */
    PART_LOOP,
    PART_WAKER, /* refers to a task only while the task waits, or until the task runs */
} AsyncioPart;

/* Set the part of each type; `parts` has an element for each. Return whether there is a task, a callback or a loop. */
int asyncio_parts(const Graph *graph, uint8_t *parts);
/* Return the label of a task: the name of its coroutine's function. */
uint32_t asyncio_label_of_task(const Graph *graph, uint32_t task);

#endif
