#include "clone.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lost.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { NICENESS = 10, HANDLER_STACK_BYTES = 64 << 10, MAX_DESCRIPTORS = 1 << 20 };

/* Without SIGABRT, which ends the clone anyway: newer C libraries take a lock in sigaction() for it, and a thread that
 * forks may hold that lock. */
static const int CRASH_SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP};

/* Set in the clone only, for its crash handler. */
static Status *status_of_clone;
static sigjmp_buf unreadable;
static volatile sig_atomic_t is_probing;

/* Report the type that was being traversed. No core dump is written: it would contain the application's data. */
static void
on_crash(int signal_number)
{
    if (is_probing) {
        siglongjmp(unreadable, 1);
    }
    Status *status = status_of_clone;
    status->fault = FAULT_SIGNAL;
    status->os_error = (uint32_t)signal_number;
    PyTypeObject *type = (PyTypeObject *)status->walked_type;
    const char *name = type ? type->tp_name : "";
    uint32_t length = 0;
    for (; length < TYPE_NAME_BYTES && name[length]; length++) {
        status->crashed_type[length] = name[length];
    }
    status->crashed_type_length = length;
    _exit(1);
}

/* End the clone by SIGALRM after the timeout. The caller has blocked all signals. */
static void
arm_timeout(unsigned timeout_seconds)
{
    sigset_t unblocked;
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&unblocked);
    sigaddset(&unblocked, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
    alarm(timeout_seconds);
}

static void
unblock_crash_signals(void)
{
    sigset_t unblocked;
    sigemptyset(&unblocked);
    for (size_t i = 0; i < Py_ARRAY_LENGTH(CRASH_SIGNALS); i++) {
        sigaddset(&unblocked, CRASH_SIGNALS[i]);
    }
    sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
}

/* Handle signals that the clone's own code causes. */
static void
install_crash_handlers(void)
{
    struct sigaction action;
    void *stack = mmap(NULL, HANDLER_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack != MAP_FAILED) {
        stack_t handler_stack = {.ss_sp = stack, .ss_size = HANDLER_STACK_BYTES};
        sigaltstack(&handler_stack, NULL);
    }
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_crash;
    action.sa_flags = stack == MAP_FAILED ? 0 : SA_ONSTACK;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(CRASH_SIGNALS); i++) {
        sigaction(CRASH_SIGNALS[i], &action, NULL);
    }
    unblock_crash_signals();
}

static void
close_range_of(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) {
        return;
    }
    struct rlimit limit = {MAX_DESCRIPTORS, MAX_DESCRIPTORS};
    getrlimit(RLIMIT_NOFILE, &limit);
    unsigned end = limit.rlim_cur < MAX_DESCRIPTORS ? (unsigned)limit.rlim_cur : MAX_DESCRIPTORS;
    for (unsigned descriptor = first; descriptor <= last && descriptor < end; descriptor++) {
        close((int)descriptor);
    }
}

/* Close the application's descriptors: a pipe or socket that the application closes must not stay open here. */
static void
close_descriptors_but(int kept)
{
    if (kept < 0) {
        close_range_of(0, ~0u);
        return;
    }
    if (kept > 0) {
        close_range_of(0, (unsigned)kept - 1);
    }
    close_range_of((unsigned)kept + 1, ~0u);
}

/* Give the clone less processor time than the application, and make it the OOM killer's first choice. */
static void
lower_priority(void)
{
    static const char worst[] = "1000";
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    setpriority(PRIO_PROCESS, 0, NICENESS);
    prctl(PR_SET_NAME, "heap-exporter");
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        if (write(file, worst, sizeof(worst) - 1) < 0) {
            errno = 0; /* optional: the walk works without it */
        }
        close(file);
    }
    /* RLIMIT_CORE does not prevent core dumps to a pipe; this does. Last, because it makes /proc/self unreadable. */
    prctl(PR_SET_DUMPABLE, 0);
}

/* End the clone when the thread that created it ends, even if that thread has ended already. */
static void
die_with_parent(pid_t parent, pid_t thread)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || (syscall(SYS_tgkill, parent, thread, 0) < 0 && errno == ESRCH)) {
        _exit(0);
    }
}

int
clone_can_read(uintptr_t address)
{
    if (sigsetjmp(unreadable, 0) != 0) { /* saving the signal mask each time would be a system call */
        is_probing = 0;
        unblock_crash_signals();
        return 0;
    }
    is_probing = 1;
    (void)*(const volatile char *)address;
    is_probing = 0;
    return 1;
}

void
clone_close_descriptors(void)
{
    close_descriptors_but(-1);
}

_Noreturn static void
child_main(const Job *job, Status *status, pid_t parent, pid_t thread, unsigned timeout_seconds)
{
    status_of_clone = status;
    die_with_parent(parent, thread);
    arm_timeout(timeout_seconds);
    close_descriptors_but(job->kind == JOB_GRAPH ? job->file : -1);
    install_crash_handlers();
    lower_priority();
    if (job->kind == JOB_LOST) {
        lost_run(job, status);
    }
    else {
        walk_run(job, status);
    }
    _exit(0);
}

pid_t
clone_start(const Job *job, Status *status, unsigned timeout_seconds)
{
    sigset_t all, before;
    pid_t parent = getpid();
    pid_t thread = (pid_t)syscall(SYS_gettid);
    sigfillset(&all);
    /* The application's signal handlers must not run in the clone: one may write to a pipe that both share. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    if (pid == 0) {
        child_main(job, status, parent, thread, timeout_seconds);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return (pid_t)pid;
}

int
clone_poll(pid_t pid, ExitInfo *exit_info)
{
    int state;
    struct rusage usage;
    memset(exit_info, 0, sizeof(*exit_info));
    pid_t ended = wait4(pid, &state, WNOHANG | __WCLONE, &usage);
    if (ended == 0 || (ended < 0 && errno == EINTR)) {
        return 0;
    }
    if (ended < 0) {
        return 1;
    }
    exit_info->is_known = 1;
    exit_info->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    exit_info->cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u
                     + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
    return 1;
}
