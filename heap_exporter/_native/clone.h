/* A clone of the process, in which a walk runs while the process itself continues.
 *
 * The application does not notice it as a fork: no handler of os.fork() or pthread_atfork() runs, no SIGCHLD is sent,
 * and no os.wait*() call returns the child, because its exit signal is 0 and only __WCLONE waits for such children.
 */
#ifndef HEAP_EXPORTER_CLONE_H
#define HEAP_EXPORTER_CLONE_H

#include <sys/types.h>

#include "walk.h"

/* Start a walk in a clone. The caller holds the GIL, so that the heap is consistent. The clone ends after
 * `timeout_seconds`, and when its parent ends. Return its pid, or -1 with errno set. */
pid_t clone_start(const Job *job, Status *status, unsigned timeout_seconds);

/* How a clone ended. */
typedef struct {
    int is_known; /* 0: another caller waited for it */
    int signal;   /* that killed it, else 0 */
    uint64_t cpu_ns;
} ExitInfo;

/* Return 1 once the clone has ended and is reaped, 0 while it runs. */
int clone_poll(pid_t pid, ExitInfo *exit_info);

/* In the clone: return whether an address can be read; a page may be a guard of a stack, or behind the end of a file. */
int clone_can_read(uintptr_t address);

/* Close all descriptors of the calling process. */
void clone_close_descriptors(void);

#endif
