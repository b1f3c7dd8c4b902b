/* The Python module: a Graph that decodes the blocks of a file in two passes, then traces and finds dominators. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "array.h"
#include "decode.h"
#include "dominators.h"
#include "export.h"
#include "trace.h"
#include "views.h"

uint64_t hash_seed;

enum { SURVEYED, KEPT, TRACED, DOMINATED };

typedef struct {
    PyObject_HEAD
    Graph graph;
    Decoder decoder;
    int stage;
    int is_busy; /* a kernel runs without the GIL */
} GraphObject;

static PyObject *
raise_status(const GraphObject *self, Status status)
{
    if (status == NO_MEMORY) {
        return PyErr_NoMemory();
    }
    PyErr_SetString(PyExc_ValueError, self->decoder.problem ? self->decoder.problem : "it changed while it was read");
    return NULL;
}

static int
is_at(const GraphObject *self, int first, int last)
{
    if (self->is_busy || self->stage < first || self->stage > last) {
        PyErr_SetString(PyExc_RuntimeError, "call feed, keep, feed, trace and dominate in this order, one at a time");
        return 0;
    }
    return 1;
}

/* Run a kernel without the GIL, and store its result in `status`. */
#define RUN(self, status, expression)  \
    do {                               \
        (self)->is_busy = 1;           \
        Py_BEGIN_ALLOW_THREADS;        \
        (status) = (expression);       \
        Py_END_ALLOW_THREADS;          \
        (self)->is_busy = 0;           \
    } while (0)

static PyObject *
graph_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    GraphObject *self = (GraphObject *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    self->decoder.graph = &self->graph;
    self->decoder.thread = self->decoder.frame = HOLDER_THREADS;
    if (graph_begin(&self->graph) != DONE) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void
graph_dealloc(PyObject *object)
{
    GraphObject *self = (GraphObject *)object;
    decoder_free(&self->decoder);
    graph_free(&self->graph);
    PyTypeObject *type = Py_TYPE(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *
graph_feed(PyObject *object, PyObject *args)
{
    GraphObject *self = (GraphObject *)object;
    Py_buffer block;
    int may_be_last;
    if (!is_at(self, SURVEYED, KEPT) || !PyArg_ParseTuple(args, "y*p", &block, &may_be_last)) {
        return NULL;
    }
    Status status;
    RUN(self, status, decoder_feed(&self->decoder, block.buf, (size_t)block.len, may_be_last));
    PyBuffer_Release(&block);
    return status == DONE ? PyBool_FromLong(self->decoder.ended) : raise_status(self, status);
}

static PyObject *
graph_keep(PyObject *object, PyObject *Py_UNUSED(none))
{
    GraphObject *self = (GraphObject *)object;
    if (!is_at(self, SURVEYED, SURVEYED)) {
        return NULL;
    }
    Status status;
    RUN(self, status, decoder_rewind(&self->decoder));
    self->stage = KEPT;
    return status == DONE ? Py_NewRef(Py_None) : raise_status(self, status);
}

/* Return the number of the new name of each string; new names are added. Return NULL with an exception on failure. */
static uint32_t *
renamed(Strings *strings, PyObject *names)
{
    size_t count = strings->ends.count;
    if ((size_t)PyList_GET_SIZE(names) != count) {
        PyErr_SetString(PyExc_ValueError, "rename() needs one name for each type and string");
        return NULL;
    }
    uint32_t *numbers = allocate(count, sizeof *numbers);
    for (size_t i = 0; numbers && i < count; i++) {
        Py_ssize_t length;
        const char *name = PyUnicode_AsUTF8AndSize(PyList_GET_ITEM(names, (Py_ssize_t)i), &length);
        if (!name || strings_add(strings, (const uint8_t *)name, (size_t)length, &numbers[i]) != DONE) {
            free(numbers);
            numbers = NULL;
        }
    }
    return numbers || PyErr_Occurred() ? numbers : (PyErr_NoMemory(), NULL);
}

static PyObject *
graph_rename(PyObject *object, PyObject *args)
{
    GraphObject *self = (GraphObject *)object;
    Graph *graph = &self->graph;
    PyObject *types, *strings;
    if (!is_at(self, KEPT, KEPT) || !PyArg_ParseTuple(args, "O!O!", &PyList_Type, &types, &PyList_Type, &strings)) {
        return NULL;
    }
    uint32_t *type_names = renamed(&graph->types, types);
    uint32_t *group_names = type_names ? renamed(&graph->strings, strings) : NULL;
    if (group_names) {
        for (size_t i = 0; i < graph->shapes.count; i++) {
            graph->shapes.items[i].type = type_names[graph->shapes.items[i].type];
        }
        free(graph->group_names);
        graph->group_names = group_names;
    }
    free(type_names);
    return group_names ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
graph_trace(PyObject *object, PyObject *Py_UNUSED(none))
{
    GraphObject *self = (GraphObject *)object;
    if (!is_at(self, KEPT, KEPT)) {
        return NULL;
    }
    Status status;
    RUN(self, status, graph_is_complete(&self->graph) ? trace(&self->graph) : ALTERED);
    self->stage = TRACED;
    return status == DONE ? Py_NewRef(Py_None) : raise_status(self, status);
}

static PyObject *
graph_dominate(PyObject *object, PyObject *Py_UNUSED(none))
{
    GraphObject *self = (GraphObject *)object;
    if (!is_at(self, TRACED, TRACED)) {
        return NULL;
    }
    Status status;
    RUN(self, status, dominate(&self->graph));
    if (status == DONE) {
        graph_restore_weak(&self->graph);
        self->stage = DOMINATED;
    }
    return status == DONE ? Py_NewRef(Py_None) : raise_status(self, status);
}

/* Parse (groups, count): the group of each object; groups from `count` on count as no group. */
static int
parse_groups(GraphObject *self, PyObject *args, Py_buffer *groups, unsigned int *count)
{
    if (!is_at(self, DOMINATED, DOMINATED) || !PyArg_ParseTuple(args, "y*I", groups, count)) {
        return 0;
    }
    if ((size_t)groups->len != (size_t)self->graph.objects * sizeof(uint32_t)) {
        PyBuffer_Release(groups);
        PyErr_SetString(PyExc_ValueError, "each object has one group");
        return 0;
    }
    return 1;
}

static PyObject *
graph_retained_by(PyObject *object, PyObject *args)
{
    GraphObject *self = (GraphObject *)object;
    Py_buffer groups;
    unsigned int count;
    if (!parse_groups(self, args, &groups, &count)) {
        return NULL;
    }
    uint64_t *bytes = allocate(count, sizeof *bytes);
    Status status = NO_MEMORY;
    if (bytes) {
        RUN(self, status, retained_by(&self->graph, groups.buf, count, bytes));
    }
    PyBuffer_Release(&groups);
    return array_take(status == DONE ? bytes : (free(bytes), NULL), count, "Q");
}

static PyObject *
graph_totals_by(PyObject *object, PyObject *args)
{
    GraphObject *self = (GraphObject *)object;
    Py_buffer groups;
    unsigned int count;
    if (!parse_groups(self, args, &groups, &count)) {
        return NULL;
    }
    uint64_t *objects = allocate(count, sizeof *objects), *bytes = allocate(count, sizeof *bytes);
    if (objects && bytes) {
        totals_by(&self->graph, groups.buf, count, objects, bytes);
    }
    PyBuffer_Release(&groups);
    return Py_BuildValue("NN", array_take(objects, count, "Q"), array_take(bytes, count, "Q"));
}

static PyObject *
graph_regroup(PyObject *object, PyObject *args)
{
    GraphObject *self = (GraphObject *)object;
    const Graph *graph = &self->graph;
    Py_buffer classes;
    if (!is_at(self, DOMINATED, DOMINATED) || !PyArg_ParseTuple(args, "y*", &classes)) {
        return NULL;
    }
    if ((size_t)classes.len != graph->groups.count * sizeof(uint32_t)) {
        PyBuffer_Release(&classes);
        PyErr_SetString(PyExc_ValueError, "each group has one class");
        return NULL;
    }
    uint32_t *class_of = allocate(graph->objects, sizeof *class_of);
    for (uint32_t i = 0; class_of && i < graph->objects; i++) {
        class_of[i] = ((const uint32_t *)classes.buf)[graph->group_of[i]];
    }
    PyBuffer_Release(&classes);
    return array_take(class_of, graph->objects, "I");
}

/* Define a method that returns a view of the finished graph. */
#define VIEW(name)                                                                                       \
    static PyObject *graph_##name(PyObject *object, PyObject *Py_UNUSED(none))                          \
    {                                                                                                    \
        GraphObject *self = (GraphObject *)object;                                                       \
        return is_at(self, DOMINATED, DOMINATED) ? views_##name(object, &self->graph) : NULL;            \
    }

VIEW(labels)
VIEW(places)
VIEW(type_of)
VIEW(groups)
VIEW(holders)
VIEW(root_edges)
VIEW(arrays)
VIEW(counts)

static PyObject *
graph_texts(PyObject *object, PyObject *Py_UNUSED(none))
{
    GraphObject *self = (GraphObject *)object;
    return is_at(self, KEPT, DOMINATED) ? views_texts(object, &self->graph) : NULL;
}

static PyMethodDef graph_methods[] = {
    {"feed", graph_feed, METH_VARARGS, "feed(block, may_be_last) -> whether the records have ended"},
    {"keep", graph_keep, METH_NOARGS, "keep() -> None: all blocks were seen; now they come again"},
    {"rename", graph_rename, METH_VARARGS, "rename(types, strings) -> None: objects of types with one name have one type, "
                                           "and groups behind edges with one name are one group"},
    {"trace", graph_trace, METH_NOARGS, "trace() -> None: find the shortest paths and the groups"},
    {"dominate", graph_dominate, METH_NOARGS, "dominate() -> None: find the dominators and what is retained"},
    {"retained_by", graph_retained_by, METH_VARARGS, "retained_by(groups, count) -> bytes by group"},
    {"totals_by", graph_totals_by, METH_VARARGS, "totals_by(groups, count) -> (objects by group, bytes by group)"},
    {"regroup", graph_regroup, METH_VARARGS, "regroup(classes) -> the class of the group of each object"},
    {"labels", graph_labels, METH_NOARGS, "labels() -> the label of each edge"},
    {"places", graph_places, METH_NOARGS, "places() -> the place of each object"},
    {"type_of", graph_type_of, METH_NOARGS, "type_of() -> the type of each object"},
    {"groups", graph_groups, METH_NOARGS, "groups() -> (parents, labels, types)"},
    {"texts", graph_texts, METH_NOARGS, "texts() -> (strings, types, functions)"},
    {"holders", graph_holders, METH_NOARGS, "holders() -> [(is it a frame, ident or function, parent)]"},
    {"root_edges", graph_root_edges, METH_NOARGS, "root_edges() -> holder, object, label, holder, …"},
    {"arrays", graph_arrays, METH_NOARGS, "arrays() -> {name: view}"},
    {"counts", graph_counts, METH_NOARGS, "counts() -> (objects, references, unknown references)"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot graph_slots[] = {
    {Py_tp_new, graph_new},
    {Py_tp_dealloc, graph_dealloc},
    {Py_tp_methods, graph_methods},
    {0, NULL},
};

static PyType_Spec graph_spec = {
    "heap_exporter._kernels.Graph", sizeof(GraphObject), 0, Py_TPFLAGS_DEFAULT, graph_slots,
};

static int
seed(void)
{
    PyObject *os = PyImport_ImportModule("os");
    PyObject *bytes = os ? PyObject_CallMethod(os, "urandom", "i", (int)sizeof hash_seed) : NULL;
    int done = bytes && PyBytes_Check(bytes) && PyBytes_GET_SIZE(bytes) == sizeof hash_seed;
    if (done) {
        memcpy(&hash_seed, PyBytes_AS_STRING(bytes), sizeof hash_seed);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(os);
    return done;
}

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &graph_spec, NULL);
    int added = type && seed() && array_ready(module) && PyModule_AddObjectRef(module, "Graph", type) == 0;
    Py_XDECREF(type);
    return added ? 0 : -1;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "heap_exporter._kernels",
    .m_doc = "The slow parts of the analysis of a snapshot: decoding, tracing, dominators.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__kernels(void)
{
    return PyModuleDef_Init(&module_definition);
}
