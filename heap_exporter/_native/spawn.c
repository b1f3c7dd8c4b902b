#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clone.h"

enum { STACK_BYTES = 64 << 10 };

/* From <linux/ioprio.h>, which old kernel headers lack. */
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13 };

/* Shared by the three processes, which share all memory until the program starts. */
typedef struct {
    char *const *argv;
    char *const *environment;
    char *stacks;
    pid_t pid;
    int error;
} Orphan;

static int
exec_program(void *argument)
{
    Orphan *orphan = argument;
    struct sigaction plain;
    sigset_t none;
    memset(&plain, 0, sizeof(plain));
    plain.sa_handler = SIG_DFL;
    /* An exec keeps ignored signals ignored; the program needs their default actions. SIGABRT: see clone.c. */
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGABRT) {
            sigaction(number, &plain, NULL);
        }
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    /* The lowest priority of input and output; a kernel without it uses that of the niceness. See ioprio_set(2). */
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
    clone_close_descriptors();
    if (open("/dev/null", O_RDWR) == 0 && dup(0) == 1 && dup(0) == 2) {
        execve(orphan->argv[0], orphan->argv, orphan->environment);
    }
    orphan->error = errno;
    _exit(127);
}

static int
start_program(void *argument)
{
    Orphan *orphan = argument;
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    orphan->pid = clone(exec_program, orphan->stacks + STACK_BYTES, flags, orphan);
    if (orphan->pid < 0) {
        orphan->error = errno;
    }
    _exit(0);
}

pid_t
spawn_orphan(char *const *argv, char *const *environment)
{
    sigset_t all, before;
    Orphan orphan = {argv, environment, NULL, 0, 0};
    orphan.stacks = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (orphan.stacks == MAP_FAILED) {
        return -1;
    }
    /* The application's signal handlers must not run in a process that shares its memory. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* Like vfork(): the calling thread sleeps until the program has started, and no page is copied. The process in
     * between ends at once, which makes the program an orphan. Its exit signal is 0, so SIGCHLD and wait() do not
     * report it. */
    pid_t between = clone(start_program, orphan.stacks + 2 * STACK_BYTES, CLONE_VM | CLONE_VFORK, &orphan);
    int error = between < 0 ? errno : orphan.error;
    if (between >= 0) {
        waitpid(between, NULL, __WCLONE);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(orphan.stacks, 2 * STACK_BYTES);
    errno = error;
    return error ? -1 : orphan.pid;
}
