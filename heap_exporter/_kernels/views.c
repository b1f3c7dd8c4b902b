#define PY_SSIZE_T_CLEAN
#include "views.h"

#include "array.h"
#include "export.h"

PyObject *
views_labels(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    size_t count = graph->offsets[graph->objects];
    uint32_t *labels = allocate(count, sizeof *labels);
    if (labels) {
        export_labels(graph, labels);
    }
    return array_take(labels, count, "I");
}

PyObject *
views_places(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    uint64_t *places = allocate(graph->objects, sizeof *places);
    if (places) {
        index_places(&graph->index, places);
    }
    return array_take(places, graph->objects, "Q");
}

PyObject *
views_type_of(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    uint32_t *types = allocate(graph->objects, sizeof *types);
    for (uint32_t i = 0; types && i < graph->objects; i++) {
        types[i] = type_of(graph, i);
    }
    return array_take(types, graph->objects, "I");
}

PyObject *
views_groups(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    size_t count = graph->groups.count;
    uint32_t *columns[3];
    for (int i = 0; i < 3; i++) {
        columns[i] = allocate(count, sizeof(uint32_t));
    }
    if (columns[0] && columns[1] && columns[2]) {
        export_groups(graph, columns[0], columns[1], columns[2]);
    }
    return Py_BuildValue("NNN", array_take(columns[0], count, "I"), array_take(columns[1], count, "I"),
                         array_take(columns[2], count, "I"));
}

static PyObject *
texts(const Strings *strings)
{
    PyObject *list = PyList_New((Py_ssize_t)strings->ends.count);
    for (uint32_t i = 0; list && i < strings->ends.count; i++) {
        size_t length;
        const uint8_t *bytes = strings_get(strings, i, &length);
        PyObject *text = PyUnicode_DecodeUTF8((const char *)bytes, (Py_ssize_t)length, NULL);
        if (!text) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, text);
    }
    return list;
}

PyObject *
views_texts(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    PyObject *strings = texts(&graph->strings), *types = NULL, *functions = NULL;
    if (strings && (types = texts(&graph->types)) && (functions = texts(&graph->functions))) {
        return Py_BuildValue("NNN", strings, types, functions);
    }
    Py_XDECREF(strings);
    Py_XDECREF(types);
    return NULL;
}

PyObject *
views_holders(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    PyObject *list = PyList_New(0);
    for (size_t i = HOLDERS; list && i < graph->holders.count; i++) {
        const Holder *holder = &graph->holders.items[i];
        uint64_t what = holder->is_frame ? holder->name : holder->ident;
        PyObject *item = Py_BuildValue("iKI", holder->is_frame, (unsigned long long)what, holder->parent);
        if (!item || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

PyObject *
views_root_edges(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    size_t count = graph->root_edges.count;
    uint32_t *triples = allocate(3 * count, sizeof *triples);
    for (size_t i = 0; triples && i < count; i++) {
        const RootEdge *edge = &graph->root_edges.items[i];
        memcpy(triples + 3 * i, (uint32_t[]){edge->holder, edge->target, edge->label}, 3 * sizeof *triples);
    }
    return array_take(triples, 3 * count, "I");
}

PyObject *
views_arrays(PyObject *owner, const Graph *graph)
{
    size_t nodes = graph->objects + graph->holders.count, slots = graph->offsets[graph->objects];
    return Py_BuildValue(
        "{sNsNsNsNsNsN}", "offsets", array_view(owner, graph->offsets, (size_t)graph->objects + 1, "I"), "targets",
        array_view(owner, graph->targets, slots, "I"), "size", array_view(owner, graph->sizes, graph->objects, "Q"),
        "group", array_view(owner, graph->group_of, graph->objects, "I"), "idom",
        array_view(owner, graph->idom, nodes, "I"), "retained", array_view(owner, graph->retained, nodes, "Q"));
}

PyObject *
views_counts(PyObject *Py_UNUSED(owner), const Graph *graph)
{
    return Py_BuildValue("IKK", graph->objects, (unsigned long long)graph->references,
                         (unsigned long long)graph->unknown_references);
}
