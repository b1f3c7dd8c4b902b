#ifndef HEAP_EXPORTER_SPAWN_H
#define HEAP_EXPORTER_SPAWN_H

#include <sys/types.h>

/* Start a program that the application neither hears of nor waits for: it is nobody's child. Return its pid, or -1 with
   errno set. It has no descriptors but /dev/null, no signals blocked, and a session of its own. */
pid_t spawn_orphan(char *const *argv, char *const *environment);

#endif
