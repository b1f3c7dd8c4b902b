/* heap_exporter._allocations: the Python interface of the sampler of allocations. */
#include "sampler.h"

#include "countdown.h"
#include "hooks.h"

PyDoc_STRVAR(start_doc,
             "start(interval_bytes, max_load) -> None\n\n"
             "Install the hooks, and sample one allocation in each interval_bytes on average. The interval grows while "
             "samples take more than the share max_load of one core; 0 means no limit.");

static PyObject *
start(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long interval;
    double max_load;
    if (!PyArg_ParseTuple(args, "Kd:start", &interval, &max_load)) {
        return NULL;
    }
    if (interval < 1 || interval > 1ull << 40 || !(max_load >= 0)) {
        PyErr_SetString(PyExc_ValueError, "interval_bytes must be from 1 to 2**40, and max_load at least 0");
        return NULL;
    }
    if (PyThreadState_Get()->interp != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "allocations can be sampled from the main interpreter only");
        return NULL;
    }
    if (sampler_is_active()) {
        PyErr_SetString(PyExc_RuntimeError, "allocations are sampled already");
        return NULL;
    }
    if (sampler_begin(interval, max_load) < 0) {
        return PyErr_NoMemory();
    }
    const char *problem = hooks_install();
    if (problem) {
        sampler_end();
        PyErr_SetString(PyExc_RuntimeError, problem);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop() -> None\n\nRemove the hooks, and forget all samples.");

static PyObject *
stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (sampler_is_active()) {
        hooks_remove();
        sampler_end();
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(state_doc,
             "state() -> str\n\n"
             "Return off, light, full, or displaced: another tool has replaced the hooks, so that they see nothing.");

static PyObject *
state(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    static const char *const names[] = {"off", "light", "full", "displaced"};
    return PyUnicode_FromString(names[hooks_state()]);
}

PyDoc_STRVAR(counters_doc, "counters() -> dict[str, int]\n\nReturn the counters of the sampler.");

static PyObject *
counters(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    SamplerCounters now = sampler_counters();
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "interval_bytes", (unsigned long long)now.interval, "live",
                         (unsigned long long)now.live, "taken", (unsigned long long)now.taken, "without_stack",
                         (unsigned long long)now.without_stack, "dropped", (unsigned long long)now.dropped,
                         "nanoseconds", (unsigned long long)now.nanoseconds, "stacks", (unsigned long long)now.stacks,
                         "table_bytes", (unsigned long long)now.table_bytes);
}

PyDoc_STRVAR(stacks_doc,
             "stacks() -> list[tuple[int, float, float, float, int, float, float, int]]\n\n"
             "Return the stacks that have samples: number; live bytes, objects, variance of the bytes, and samples; "
             "allocated bytes, objects and samples since the start.");

static PyObject *
stacks(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    /* The cache of methods may hold temporary names that would be free without it. It holds the last name of each of
     * its places, and names of sampled blocks stay longer, as no other block gets their address. */
    PyType_ClearCache();
    uint32_t count;
    CallStack *copy = sampler_copy_stacks(&count);
    if (!copy) {
        return PyErr_NoMemory();
    }
    PyObject *rows = PyList_New(0);
    for (uint32_t i = 0; rows && i < count; i++) {
        const Sums *live = &copy[i].live, *allocated = &copy[i].allocated;
        if (!allocated->samples) {
            continue;
        }
        PyObject *row = Py_BuildValue("(IdddKddK)", i, live->bytes, live->objects, live->variance,
                                      (unsigned long long)live->samples, allocated->bytes, allocated->objects,
                                      (unsigned long long)allocated->samples);
        if (!row || PyList_Append(rows, row) < 0) {
            Py_CLEAR(rows);
        }
        Py_XDECREF(row);
    }
    sampler_free_copy(copy, count);
    return rows;
}

PyDoc_STRVAR(calls_doc,
             "calls(stack) -> tuple[tuple[str, str, int], ...]\n\n"
             "Return the calls of a stack, innermost first: file, qualified name of the function, and line.");

static PyObject *
calls(PyObject *Py_UNUSED(module), PyObject *number)
{
    unsigned long stack = PyLong_AsUnsignedLong(number);
    if (stack == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    Call copied[MAX_FRAMES];
    uint32_t depth = stack < MAX_STACKS ? sampler_copy_calls((uint32_t)stack, copied) : 0;
    PyObject *result = PyTuple_New(depth);
    for (uint32_t i = 0; i < depth; i++) {
        PyCodeObject *code = copied[i].code;
        PyObject *call = !result ? NULL : Py_BuildValue("(OOi)", code->co_filename, code->co_qualname,
                                                        PyCode_Addr2Line(code, copied[i].instruction));
        if (call) {
            PyTuple_SET_ITEM(result, i, call);
        }
        else {
            Py_CLEAR(result);
        }
    }
    for (uint32_t i = 0; i < depth; i++) {
        Py_DECREF(copied[i].code);
    }
    return result;
}

PyDoc_STRVAR(ignore_thread_doc, "ignore_thread() -> None\n\nSample no allocations of the calling thread from now on.");

static PyObject *
ignore_thread(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    countdown_ignore_thread();
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"start", start, METH_VARARGS, start_doc},
    {"stop", stop, METH_NOARGS, stop_doc},
    {"state", state, METH_NOARGS, state_doc},
    {"counters", counters, METH_NOARGS, counters_doc},
    {"stacks", stacks, METH_NOARGS, stacks_doc},
    {"calls", calls, METH_O, calls_doc},
    {"ignore_thread", ignore_thread, METH_NOARGS, ignore_thread_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {{0, NULL}};

static struct PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "heap_exporter._allocations",
    .m_doc = "Samples where memory is allocated.",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__allocations(void)
{
    return PyModuleDef_Init(&module_definition);
}
