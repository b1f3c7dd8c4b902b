#ifndef HEAP_EXPORTER_SPAWN_H
#define HEAP_EXPORTER_SPAWN_H

#include <sys/types.h>

/* Start a program as an orphan: the application gets no signal from it and cannot wait for it. Return its pid, or -1
 * with errno set. The program has its own session, /dev/null as its only descriptors, and no blocked signals. */
pid_t spawn_orphan(char *const *argv, char *const *environment);

#endif
