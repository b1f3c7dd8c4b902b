#include "groups.h"

#include <string.h>

enum { FOLDED_PERIOD = 4, DEEPEST = 64 };

static uint64_t
hash_of(uint32_t parent, uint32_t label, uint32_t type)
{
    return scramble(scramble((uint64_t)parent << 32 | label) ^ type);
}

static size_t
slot_of(const Graph *graph, uint32_t parent, uint32_t label, uint32_t type)
{
    const Table *table = &graph->group_table;
    size_t slot = hash_of(parent, label, type) & (table->capacity - 1);
    for (; table->slots[slot] != NO_GROUP; slot = (slot + 1) & (table->capacity - 1)) {
        const Group *group = &graph->groups.items[table->slots[slot]];
        if (group->parent == parent && group->label == label && group->type == type) {
            break;
        }
    }
    return slot;
}

static Status
enlarge(Graph *graph)
{
    Table *table = &graph->group_table;
    size_t capacity = table->capacity ? table->capacity * 2 : 4096;
    uint32_t *slots = allocate(capacity, sizeof *slots);
    if (!slots) {
        return NO_MEMORY;
    }
    free(table->slots);
    memset(slots, 0xff, capacity * sizeof *slots);
    *table = (Table){slots, capacity};
    for (uint32_t i = (uint32_t)graph->holders.count; i < graph->groups.count; i++) {
        const Group *group = &graph->groups.items[i];
        slots[slot_of(graph, group->parent, group->label, group->type)] = i;
    }
    return DONE;
}

Status
groups_begin(Graph *graph)
{
    for (size_t i = 0; i < graph->holders.count; i++) {
        uint32_t parent = graph->holders.items[i].parent;
        uint32_t depth = i ? graph->groups.items[parent].depth + 1 : 0;
        PUSH(graph->groups, (Group){parent, LABEL_REFERENT, NO_TYPE, depth});
    }
    return enlarge(graph);
}

static int
is_local(const Graph *graph, uint32_t parent, uint32_t label)
{
    return label >= LABEL_NAME && label < LABEL_CLOSURE && graph->groups.items[parent].type == graph->coroutine_type;
}

/* Return the same group a few steps up, if there is one: a linked list or a tree of dicts is one group. The objects
 * behind a local variable of a coroutine do not hold the coroutine: tasks that wait for one another fold at the second
 * variable of the same name. */
static uint32_t
folded(const Graph *graph, uint32_t parent, uint32_t label, uint32_t type)
{
    int steps = label == graph->dict_label ? 0 : FOLDED_PERIOD;
    int folds_anywhere = is_local(graph, parent, label);
    for (int step = 0; step < steps && parent >= graph->holders.count; step++) {
        const Group *group = &graph->groups.items[parent];
        if (group->label == label && group->type == type) {
            return parent;
        }
        if (!folds_anywhere && is_local(graph, group->parent, group->label)) {
            break;
        }
        parent = group->parent;
    }
    return NO_GROUP;
}

Status
groups_child(Graph *graph, uint32_t parent, uint32_t label, uint32_t type, uint32_t *group)
{
    *group = folded(graph, parent, label, type);
    if (*group != NO_GROUP) {
        return DONE;
    }
    uint32_t depth = graph->groups.items[parent].depth;
    if (depth >= DEEPEST && parent >= graph->holders.count) {
        *group = parent;
        return DONE;
    }
    if (graph->groups.count * 2 >= graph->group_table.capacity) {
        TRY(enlarge(graph));
    }
    size_t slot = slot_of(graph, parent, label, type);
    if (graph->group_table.slots[slot] == NO_GROUP) {
        graph->group_table.slots[slot] = (uint32_t)graph->groups.count;
        PUSH(graph->groups, (Group){parent, label, type, depth + 1});
    }
    *group = graph->group_table.slots[slot];
    return DONE;
}
