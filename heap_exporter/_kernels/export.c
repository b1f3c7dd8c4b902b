#include "export.h"

#include <string.h>

#include "groups.h"
#include "trace.h"

Status
graph_begin(Graph *graph)
{
    for (int i = 0; i < HOLDERS; i++) {
        PUSH(graph->holders, (Holder){.parent = HOLDER_ROOT});
    }
    return DONE;
}

int
graph_is_complete(const Graph *graph)
{
    for (uint32_t object = 0; object < graph->objects; object++) {
        if (graph->shape_of[object] == UINT32_MAX) {
            return 0;
        }
    }
    return 1;
}

void
graph_restore_weak(Graph *graph)
{
    for (size_t i = 0; i < graph->weak_edges.count; i++) {
        graph->targets[graph->weak_edges.items[i].slot] = graph->weak_edges.items[i].target;
    }
}

void
graph_free(Graph *graph)
{
    strings_free(&graph->strings);
    strings_free(&graph->types);
    strings_free(&graph->functions);
    RELEASE(graph->type_records);
    RELEASE(graph->shapes);
    RELEASE(graph->shape_names);
    RELEASE(graph->named);
    RELEASE(graph->roots);
    RELEASE(graph->holders);
    RELEASE(graph->node_stubs);
    RELEASE(graph->weak_edges);
    RELEASE(graph->root_edges);
    RELEASE(graph->groups);
    index_free(&graph->index);
    free(graph->offsets);
    free(graph->targets);
    free(graph->shape_of);
    free(graph->reference_counts);
    free(graph->sizes);
    free(graph->names_of_objects.slots);
    free(graph->group_of);
    free(graph->group_names);
    free(graph->group_table.slots);
    free(graph->idom);
    free(graph->preorder);
    free(graph->subtree);
    free(graph->retained);
    memset(graph, 0, sizeof *graph);
}

static uint32_t
label_of_slot(const Graph *graph, uint32_t object, uint32_t slot)
{
    const Shape *shape = shape_of(graph, object);
    if (slot == 0 && first_edge_is_weak(shape)) {
        return LABEL_WEAK;
    }
    if (slot < shape->name_count) {
        return label_of_name(graph->shape_names.items[shape->names + slot], LABEL_REFERENT);
    }
    if (shape->flags & NO_TAIL || shape->kind == PLAIN) {
        return LABEL_REFERENT;
    }
    if (shape->kind == MAPPING) {
        int is_key = (slot - shape->name_count) % 2 == 0;
        return is_key ? LABEL_KEY : trace_label_of_value(graph, graph->targets[graph->offsets[object] + slot - 1]);
    }
    return LABEL_ITEM;
}

void
export_labels(const Graph *graph, uint32_t *labels)
{
    for (uint32_t object = 0; object < graph->objects; object++) {
        uint32_t begin = graph->offsets[object], count = graph->offsets[object + 1] - begin;
        for (uint32_t slot = 0; slot < count; slot++) {
            labels[begin + slot] = label_of_slot(graph, object, slot);
        }
    }
}

void
export_groups(const Graph *graph, uint32_t *parents, uint32_t *labels, uint32_t *types)
{
    uint32_t closure = label_of_name(strings_find(&graph->strings, "__closure__"), LABEL_REFERENT);
    for (size_t i = 0; i < graph->groups.count; i++) {
        const Group *group = &graph->groups.items[i];
        parents[i] = group->parent;
        labels[i] = group->label >= LABEL_CLOSURE ? closure : group->label;
        types[i] = group->type;
    }
}
