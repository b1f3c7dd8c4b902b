/* The memory that no pointer leads to: C code has lost a reference, or forgot to free it. */
#ifndef HEAP_EXPORTER_LOST_H
#define HEAP_EXPORTER_LOST_H

#include "walk.h"

/* Find lost memory and write rows of it to `status`. Never raises and never calls Python code. Only in a clone: the
 * memory of the process must not change meanwhile. */
void lost_run(const Job *job, Status *status);

#endif
