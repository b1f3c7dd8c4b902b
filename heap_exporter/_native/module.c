/* heap_exporter._native: the Python interface of the walker. heap_exporter/walker/native_walker.py decides when to use
 * it. */
#include "compat.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clone.h"
#include "inspect.h"
#include "spawn.h"

/* How often a killed clone is polled: for a second, or for 50 ms while other threads wait for the GIL. */
enum { POLL_NS = 200000, MAX_POLLS = 5000, MAX_POLLS_WITH_GIL = 250 };

typedef struct {
    PyObject_HEAD
    Status *status;
    pid_t pid;    /* 0 when the walk ran in this process, or has ended */
    pid_t parent; /* the process that started the walk, to detect a fork of it during the walk */
    int is_done;
    JobKind kind;
    uint64_t pause_ns;
    ExitInfo exit_info;
} WalkObject;

static uint64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static Status *
map_status(void)
{
    void *memory = mmap(NULL, STATUS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* ---- the walk as an object ------------------------------------------------------------------------------------ */

static void
walk_poll_once(WalkObject *self)
{
    if (self->parent != getpid()) {
        self->is_done = 1;
    }
    else if (!self->is_done && clone_poll(self->pid, &self->exit_info)) {
        self->is_done = 1;
        self->pid = 0;
    }
}

PyDoc_STRVAR(poll_doc, "poll() -> bool\n\nReturn whether the walk has ended.");

static PyObject *
walk_object_poll(WalkObject *self, PyObject *Py_UNUSED(ignored))
{
    walk_poll_once(self);
    return PyBool_FromLong(self->is_done);
}

/* Kill the clone if it runs. The kernel may need some time to end it. */
static void
walk_kill_once(WalkObject *self)
{
    walk_poll_once(self);
    if (!self->is_done && self->pid > 0) {
        kill(self->pid, SIGKILL);
    }
}

static void
sleep_briefly(void)
{
    const struct timespec pause = {0, POLL_NS};
    nanosleep(&pause, NULL);
}

PyDoc_STRVAR(kill_doc,
             "kill() -> bool\n\nKill the clone if it runs; return whether it ended within about a second.");

static PyObject *
walk_object_kill(WalkObject *self, PyObject *Py_UNUSED(ignored))
{
    walk_kill_once(self);
    for (int polls = 0; !self->is_done && polls < MAX_POLLS; polls++) {
        /* Poll with the GIL held: another thread may reap the clone, and its pid may be reused. */
        Py_BEGIN_ALLOW_THREADS
        sleep_briefly();
        Py_END_ALLOW_THREADS
        walk_kill_once(self);
    }
    return PyBool_FromLong(self->is_done);
}

/* Return the row of a census at the start of `bytes` as (name, objects, bytes), and its length; NULL if it is damaged. */
static PyObject *
census_row(const unsigned char *bytes, size_t available, size_t *length)
{
    StatusRow row = {0, 0, 0};
    if (available >= sizeof(row)) {
        memcpy(&row, bytes, sizeof(row));
    }
    if (available < sizeof(row) || row.name_length > available - sizeof(row)) {
        return NULL;
    }
    *length = status_row_bytes(row.name_length);
    return Py_BuildValue("(s#KK)", (const char *)bytes + sizeof(row), (Py_ssize_t)row.name_length,
                         (unsigned long long)row.objects, (unsigned long long)row.bytes);
}

/* Return the row of lost memory at the start of `bytes` as a tuple, and its length; NULL if it is damaged. */
static PyObject *
lost_row(const unsigned char *bytes, size_t available, size_t *length)
{
    LostRow row = {0};
    if (available >= sizeof(row)) {
        memcpy(&row, bytes, sizeof(row));
    }
    if (available < sizeof(row) || row.name_length > available - sizeof(row)) {
        return NULL;
    }
    *length = lost_row_bytes(row.name_length);
    return Py_BuildValue("(Is#IKKKKKK)", row.kind, (const char *)bytes + sizeof(row), (Py_ssize_t)row.name_length,
                         row.block_bytes, (unsigned long long)row.blocks, (unsigned long long)row.bytes,
                         (unsigned long long)row.sources, (unsigned long long)row.source_bytes,
                         (unsigned long long)row.garbage, (unsigned long long)row.garbage_bytes);
}

/* Return the rows of a census or of lost memory as a list of tuples, or NULL with ValueError if they are damaged. */
static PyObject *
rows_as_list(const Status *status, JobKind kind)
{
    if (status->row_bytes > STATUS_BYTES - sizeof(Status)) {
        PyErr_SetString(PyExc_ValueError, "the rows of the walk are longer than the shared memory");
        return NULL;
    }
    size_t end = (size_t)status->row_bytes, length = 0;
    PyObject *rows = PyList_New(0);
    for (size_t at = 0; rows && at < end; at += length) {
        PyObject *row = (kind == JOB_LOST ? lost_row : census_row)(status->rows + at, end - at, &length);
        if (!row && !PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "a row of the walk is truncated");
        }
        if (!row || PyList_Append(rows, row) < 0) {
            Py_CLEAR(rows);
        }
        Py_XDECREF(row);
    }
    return rows;
}

/* Return the name of the type that was traversed at a crash, or NULL with ValueError if it is damaged. */
static PyObject *
crashed_type_as_str(const Status *status)
{
    if (status->crashed_type_length > TYPE_NAME_BYTES) {
        PyErr_SetString(PyExc_ValueError, "the name of the type is longer than the shared memory for it");
        return NULL;
    }
    return PyUnicode_DecodeUTF8(status->crashed_type, (Py_ssize_t)status->crashed_type_length, "backslashreplace");
}

PyDoc_STRVAR(result_doc,
             "result() -> dict\n\nReturn the outcome and the counts of the walk. Raises ValueError if they are damaged.");

static PyObject *
walk_object_result(WalkObject *self, PyObject *Py_UNUSED(ignored))
{
    const Status *status = self->status;
    const uint64_t *generations = status->generation_objects;
    const LostCounts *lost = &status->lost;
    /* Not in a forked child: its parent continues to write the file. */
    int is_valid = self->is_done && self->parent == getpid();
    PyObject *rows = rows_as_list(status, self->kind);
    PyObject *crashed_type = rows ? crashed_type_as_str(status) : NULL;
    PyObject *result = NULL;
    if (crashed_type) {
        result = Py_BuildValue(
            "{s:O,s:O,s:i,s:K,s:I,s:I,s:O,s:K,s:K,s:K,s:I,s:K,s:(KKKK),s:(KKKKKK),s:O}", "is_complete",
            is_valid && status->is_done && status->fault == FAULT_NONE ? Py_True : Py_False, "was_reaped",
            self->exit_info.is_known ? Py_True : Py_False, "signal",
            self->exit_info.signal, "cpu_ns", (unsigned long long)self->exit_info.cpu_ns, "fault", status->fault,
            "os_error", status->os_error, "crashed_type", crashed_type, "walk_ns", (unsigned long long)status->walk_ns, "objects",
            (unsigned long long)status->objects, "references", (unsigned long long)status->references, "crc",
            status->crc, "file_bytes", (unsigned long long)status->file_bytes, "generation_objects",
            (unsigned long long)generations[0], (unsigned long long)generations[1],
            (unsigned long long)generations[2], (unsigned long long)generations[3], "lost", (unsigned long long)lost->pools,
            (unsigned long long)lost->heaps, (unsigned long long)lost->used_blocks, (unsigned long long)lost->heap_bytes,
            (unsigned long long)lost->unknown_bytes, (unsigned long long)lost->broken_heaps, "rows", rows);
    }
    Py_XDECREF(crashed_type);
    Py_XDECREF(rows);
    return result;
}

static PyObject *
walk_object_pid(WalkObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(self->pid);
}

static PyObject *
walk_object_pause_ns(WalkObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->pause_ns);
}

static void
walk_object_dealloc(WalkObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    walk_kill_once(self);
    for (int polls = 0; !self->is_done && polls < MAX_POLLS_WITH_GIL; polls++) {
        sleep_briefly();
        walk_kill_once(self);
    }
    if (self->status) {
        munmap(self->status, STATUS_BYTES);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef walk_object_methods[] = {
    {"poll", (PyCFunction)walk_object_poll, METH_NOARGS, poll_doc},
    {"kill", (PyCFunction)walk_object_kill, METH_NOARGS, kill_doc},
    {"result", (PyCFunction)walk_object_result, METH_NOARGS, result_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef walk_object_getset[] = {
    {"pid", (getter)walk_object_pid, NULL, "The clone's pid, 0 once it has ended.", NULL},
    {"pause_ns", (getter)walk_object_pause_ns, NULL, "How long the start held the GIL, in nanoseconds.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(walk_object_doc, "A walk in a clone of the process, running or ended.");

static PyType_Slot walk_object_slots[] = {
    {Py_tp_doc, (void *)walk_object_doc},
    {Py_tp_dealloc, walk_object_dealloc},
    {Py_tp_methods, walk_object_methods},
    {Py_tp_getset, walk_object_getset},
    {0, NULL},
};

static PyType_Spec walk_object_spec = {
    .name = "heap_exporter._native.Walk",
    .basicsize = sizeof(WalkObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = walk_object_slots,
};

/* ---- the functions of the module ------------------------------------------------------------------------------ */

/* Run the job here, or start it in a clone. Return 0, or -1 with an OSError set. */
static int
begin(WalkObject *self, const Job *job, int in_process, unsigned timeout_seconds)
{
    uint64_t began = clock_ns(CLOCK_MONOTONIC);
    uint64_t cpu_began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (in_process) {
        walk_run(job, self->status);
        self->is_done = 1;
        self->exit_info.is_known = 1;
        self->exit_info.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_began;
    }
    else {
        self->pid = clone_start(job, self->status, timeout_seconds);
        if (self->pid < 0) {
            self->is_done = 1;
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
    }
    self->pause_ns = clock_ns(CLOCK_MONOTONIC) - began;
    return 0;
}

PyDoc_STRVAR(start_doc,
             "start(*, own_roots, not_own, timeout_seconds, file=-1, crc=0, keys=False, numpy_major=0, "
             "in_process=False, max_ns=0, lost=False) -> Walk"
             "\n\nStart a walk: a graph is written to the descriptor `file` as data blocks that follow a block with "
             "checksum `crc`; without `file` it is a census, or with `lost` a search for memory that no pointer leads to, in a "
             "clone. A walk ends with a fault after `max_ns`, if not 0. Raises "
             "OSError if the process cannot be cloned, RuntimeError if the interpreter is shutting down.");

static PyObject *
start(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"file", "crc", "own_roots", "not_own", "keys", "numpy_major", "timeout_seconds",
                               "in_process", "max_ns", "lost", NULL};
    Job job = {.interp = PyInterpreterState_Get(), .modules = PySys_GetObject("modules"), .file = -1};
    unsigned long long max_ns = 0;
    unsigned timeout_seconds = 0;
    int in_process = 0, lost = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$iIO!O!piIpKp:start", keywords, &job.file, &job.crc, &PyTuple_Type,
                                     &job.own_roots, &PyTuple_Type, &job.not_own, &job.with_keys, &job.numpy_major,
                                     &timeout_seconds, &in_process, &max_ns, &lost)) {
        return NULL;
    }
    if (!job.own_roots || !job.not_own || timeout_seconds == 0) {
        PyErr_SetString(PyExc_TypeError, "start() needs own_roots, not_own and timeout_seconds");
        return NULL;
    }
    if (!job.modules || !PyDict_Check(job.modules)) {
        PyErr_SetString(PyExc_RuntimeError, "sys.modules is not a dict: the interpreter is shutting down");
        return NULL;
    }
    if (lost && (in_process || job.file >= 0)) {
        PyErr_SetString(PyExc_ValueError, "lost memory is searched for in a clone only, and written to no file");
        return NULL;
    }
    job.max_ns = max_ns;
    job.kind = lost ? JOB_LOST : job.file >= 0 ? JOB_GRAPH : JOB_CENSUS;
    PyTypeObject *type = *(PyTypeObject **)PyModule_GetState(module);
    WalkObject *self = (WalkObject *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    self->parent = getpid();
    self->kind = job.kind;
    self->status = map_status();
    if (!self->status) {
        self->is_done = 1;
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    if (begin(self, &job, in_process, timeout_seconds) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

PyDoc_STRVAR(sizes_doc,
             "sizes(objects) -> list\n\nReturn the shallow size of each object of a tuple, as a walk computes it.");

static PyObject *
sizes(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *objects;
    int numpy_major = 0;
    if (!PyArg_ParseTuple(args, "O!|i:sizes", &PyTuple_Type, &objects, &numpy_major)) {
        return NULL;
    }
    return inspect_sizes(objects, numpy_major);
}

PyDoc_STRVAR(edges_doc,
             "edges(object) -> list\n\nReturn (name, referent) of each edge of an object, as a walk writes them; a "
             "name is '' if there is none.");

static PyObject *
edges(PyObject *Py_UNUSED(module), PyObject *object)
{
    return inspect_edges(object);
}

PyDoc_STRVAR(layout_doc,
             "layout(code) -> str\n\nReturn which structure of the interpreter differs from the headers at build "
             "time, '' if none does; `code` is the caller's code object.");

static PyObject *
layout(PyObject *Py_UNUSED(module), PyObject *code)
{
    const char *problem = inspect_layout(code);
    return problem ? PyUnicode_FromString(problem) : NULL;
}

PyDoc_STRVAR(spawn_doc,
             "spawn(argv, environment) -> pid\n\nStart the program argv[0] as an orphan: its end sends no SIGCHLD and "
             "no wait() returns it. Both arguments are tuples of bytes. Raises OSError.");

/* Return the strings of a tuple of bytes, terminated by NULL and valid as long as the tuple; NULL with an exception
 * if an item is no string. */
static char **
strings_of(PyObject *tuple)
{
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    char **strings = PyMem_Calloc((size_t)count + 1, sizeof(char *));
    for (Py_ssize_t i = 0; strings && i < count; i++) {
        if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(tuple, i), &strings[i], NULL) < 0) {
            PyMem_Free(strings);
            return NULL;
        }
    }
    return strings ? strings : (char **)PyErr_NoMemory();
}

static PyObject *
spawn(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *argv_tuple, *environment_tuple;
    if (!PyArg_ParseTuple(args, "O!O!:spawn", &PyTuple_Type, &argv_tuple, &PyTuple_Type, &environment_tuple)) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(argv_tuple) == 0) {
        PyErr_SetString(PyExc_ValueError, "spawn() needs a program");
        return NULL;
    }
    char **argv = strings_of(argv_tuple);
    char **environment = argv ? strings_of(environment_tuple) : NULL;
    pid_t pid = -1;
    if (environment) {
        pid = spawn_orphan(argv, environment);
        if (pid < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    PyMem_Free(argv);
    PyMem_Free(environment);
    return pid < 0 ? NULL : PyLong_FromLong(pid);
}

static PyMethodDef module_methods[] = {
    {"start", (PyCFunction)(void (*)(void))start, METH_VARARGS | METH_KEYWORDS, start_doc},
    {"sizes", sizes, METH_VARARGS, sizes_doc},
    {"edges", edges, METH_O, edges_doc},
    {"layout", layout, METH_O, layout_doc},
    {"spawn", spawn, METH_VARARGS, spawn_doc},
    {NULL, NULL, 0, NULL},
};

static int
module_exec(PyObject *module)
{
    PyTypeObject **type = PyModule_GetState(module);
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &walk_object_spec, NULL);
    return *type && PyModule_AddType(module, *type) == 0 ? 0 : -1;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(*(PyObject **)PyModule_GetState(module));
    return 0;
}

static int
module_clear(PyObject *module)
{
    Py_CLEAR(*(PyObject **)PyModule_GetState(module));
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static struct PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "heap_exporter._native",
    .m_doc = "Walks the heap in a clone of the process.",
    .m_size = sizeof(PyTypeObject *),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&module_definition);
}
