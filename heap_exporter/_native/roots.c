#include "roots.h"

#include "graph.h"
#include "own_objects.h"

static void
reach_root(Walk *walk, Role role, int owned, PyObject *object)
{
    if (walk->job->kind == JOB_GRAPH) {
        graph_root(walk, role, owned, object);
    }
    walk_reach(walk, object);
}

static void
reach_named(Walk *walk, Role role, int owned, const char *name, PyObject *object)
{
    if (object) {
        text_clear(&walk->text);
        text_add(&walk->text, name);
        reach_root(walk, role, owned, object);
    }
}

static void
walk_modules(Walk *walk)
{
    Py_ssize_t position = 0;
    PyObject *name, *module;
    while (PyDict_Next(walk->job->modules, &position, &name, &module)) {
        if (PyUnicode_CheckExact(name) && text_is_dotted_name(name) && !is_own_package_name(name)) {
            text_clear(&walk->text);
            text_add_str(&walk->text, name, MAX_NAME_LENGTH);
            /* Not owned: sys.modules holds the reference, and is a node of the graph. */
            reach_root(walk, ROLE_MODULE, 0, module);
        }
    }
}

static void
walk_frame(Walk *walk, Frame *frame, PyCodeObject *code, uint64_t depth)
{
    int owned;
    PyObject *function = compat_frame_function(frame, &owned);
    if (function && is_own_function(function)) {
        return;
    }
    if (walk->job->kind == JOB_GRAPH) {
        graph_frame(walk, depth, function, code);
    }
    /* The generator's node has these references: do not count them twice. */
    int is_its_own = !compat_frame_is_of_generator(frame);
    reach_named(walk, ROLE_FRAME, owned && is_its_own, "", function);
    reach_named(walk, ROLE_FRAME, is_its_own, "", frame->f_locals);
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        PyObject *value = compat_frame_variable(frame, i, &owned);
        if (value) {
            PyObject *name = PyTuple_GET_ITEM(compat_variable_names(code), i);
            text_clear(&walk->text);
            if (PyUnicode_CheckExact(name) && text_is_identifier(name)) {
                text_add_str(&walk->text, name, MAX_NAME_LENGTH);
            }
            reach_root(walk, ROLE_VARIABLE, owned && is_its_own, value);
        }
    }
}

static void
walk_thread(Walk *walk, PyThreadState *thread)
{
    uint64_t depth = 0;
    if (walk->job->kind == JOB_GRAPH) {
        graph_thread(walk, thread);
    }
    reach_named(walk, ROLE_INTERPRETER, 1, "thread-local data", thread->dict);
    reach_named(walk, ROLE_INTERPRETER, 1, "context", thread->context);
    for (_PyErr_StackItem *handled = thread->exc_info; handled; handled = handled->previous_item) {
        /* A generator's own exceptions are references of its node. */
        int owned = handled == &thread->exc_state;
        reach_named(walk, ROLE_INTERPRETER, owned, "exception being handled", handled->exc_value);
    }
    for (Frame *frame = compat_top_frame(thread); frame; frame = frame->previous) {
        PyCodeObject *code = compat_frame_code(frame);
        if (code) {
            walk_frame(walk, frame, code, depth++);
        }
    }
}

void
roots_walk(Walk *walk)
{
    walk_modules(walk);
    for (PyThreadState *thread = compat_first_thread(walk->job->interp); thread; thread = thread->next) {
        walk_thread(walk, thread);
    }
}
