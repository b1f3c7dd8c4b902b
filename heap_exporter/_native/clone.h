/* A clone of the process in which a walk runs, so that the process itself need not stand still.
 *
 * It is not a fork as the application knows it: no handler of os.fork() or pthread_atfork() runs, no SIGCHLD comes, and
 * none of its os.wait*() calls sees the child, since the clone's exit signal is 0 and only __WCLONE waits for such.
 */
#ifndef HEAP_EXPORTER_CLONE_H
#define HEAP_EXPORTER_CLONE_H

#include <sys/types.h>

#include "walk.h"

/* Begin a walk in a clone; the GIL must be held, so that the heap is at rest. The clone ends itself after
 * `timeout_seconds`, and with its parent. Return its pid, or -1 with errno set. */
pid_t clone_start(const Job *job, Status *status, unsigned timeout_seconds);

/* How a clone ended. */
typedef struct {
    int is_known; /* 0: somebody else waited for it */
    int signal;   /* that killed it, else 0 */
    uint64_t cpu_ns;
} Ending;

/* Return 1 when the clone has ended, and is gone from the table of processes; 0 while it runs. */
int clone_poll(pid_t pid, Ending *ending);

/* Close all descriptors of the process that calls. */
void clone_close_descriptors(void);

#endif
