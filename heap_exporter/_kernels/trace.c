#include "trace.h"

#include <string.h>

#include "asyncio_parts.h"
#include "groups.h"

/* Objects in the order in which they are reached. */
typedef struct {
    Graph *graph;
    uint32_t *queue;
    uint32_t first, end;
    uint32_t dunder_dict, dunder_globals, dunder_closure, dunder_main, current_tasks, eager_tasks;
    uint32_t module_type;
    uint8_t *parts; /* of each type, while objects of asyncio have no groups of their own yet; else NULL */
    VECTOR(uint32_t) deferred;
} Trace;

static Status
name_objects(Graph *graph)
{
    Table *table = &graph->names_of_objects;
    table->capacity = 16;
    while (table->capacity < graph->named.count * 2) {
        table->capacity *= 2;
    }
    table->slots = calloc(table->capacity, sizeof *table->slots);
    if (!table->slots) {
        return NO_MEMORY;
    }
    for (size_t i = 0; i < graph->named.count; i++) {
        Named *named = &graph->named.items[i];
        uint32_t object = index_find(&graph->index, named->place);
        named->place = object; /* from here on the number of the object */
        size_t slot = scramble(object) & (table->capacity - 1);
        while (table->slots[slot] && graph->named.items[table->slots[slot] - 1].place != object) {
            slot = (slot + 1) & (table->capacity - 1);
        }
        table->slots[slot] = (uint32_t)i + 1;
    }
    return DONE;
}

uint32_t
trace_label_of_value(const Graph *graph, uint32_t key)
{
    const Table *table = &graph->names_of_objects;
    if (key == EMPTY) {
        return LABEL_VALUE;
    }
    for (size_t slot = scramble(key) & (table->capacity - 1); table->slots[slot];
         slot = (slot + 1) & (table->capacity - 1)) {
        const Named *named = &graph->named.items[table->slots[slot] - 1];
        if (named->place == key) {
            return LABEL_NAME + named->string;
        }
    }
    return LABEL_VALUE;
}

static Status
reach(Trace *trace, uint32_t object, uint32_t parent, uint32_t label)
{
    Graph *graph = trace->graph;
    if (graph->group_of[object] != NO_GROUP) {
        return DONE;
    }
    if (label >= LABEL_NAME && label < LABEL_CLOSURE && graph->group_names) {
        label = LABEL_NAME + graph->group_names[label - LABEL_NAME];
    }
    TRY(groups_child(graph, parent, label, type_of(graph, object), &graph->group_of[object]));
    trace->queue[trace->end++] = object;
    return DONE;
}

static uint32_t
label_of_named(const Trace *trace, const Shape *shape, uint32_t object, uint32_t slot)
{
    uint32_t label = label_of_name(trace->graph->shape_names.items[shape->names + slot], LABEL_REFERENT);
    int is_closure = label == trace->dunder_closure && shape->cell_count;
    return is_closure ? LABEL_CLOSURE + trace->graph->shape_of[object] : label;
}

static uint32_t
label_of_item(const Trace *trace, uint32_t own_label, uint32_t position)
{
    if (own_label < LABEL_CLOSURE) {
        return LABEL_ITEM;
    }
    const Graph *graph = trace->graph;
    const Shape *function = &graph->shapes.items[own_label - LABEL_CLOSURE];
    const uint32_t *cells = graph->shape_names.items + function->names + function->name_count;
    return position < function->cell_count ? label_of_name(cells[position], LABEL_ITEM) : LABEL_ITEM;
}

/* Return whether an object belongs to the state of a module in C: CPython's current tasks, since 3.12. */
static int
is_module_state(const Trace *trace, uint32_t object)
{
    const Group *groups = trace->graph->groups.items, *own = &groups[trace->graph->group_of[object]];
    return own->label == LABEL_REFERENT && groups[own->parent].type == trace->module_type;
}

/* Return whether a reference is skipped at first: one to an event loop, or to a task or a callback from a place where it is
 * only until it runs. These objects get groups of their own, which do not depend on the moment of the snapshot. */
static int
is_deferred(const Trace *trace, uint32_t object, uint32_t own_label, uint32_t target)
{
    if (!trace->parts) {
        return 0;
    }
    uint8_t part = trace->parts[type_of(trace->graph, target)];
    if (part == PART_TASK || part == PART_CALLBACK) {
        return trace->parts[type_of(trace->graph, object)] != PART_NONE || own_label == trace->current_tasks
               || own_label == trace->eager_tasks || is_module_state(trace, object);
    }
    return part == PART_LOOP;
}

static Status
defer(Trace *trace, uint32_t object)
{
    size_t count = trace->deferred.count;
    if (!count || trace->deferred.items[count - 1] != object) { /* thousands of objects may refer to one loop */
        PUSH(trace->deferred, object);
    }
    return DONE;
}

static Status
reach_referents(Trace *trace, uint32_t object)
{
    const Graph *graph = trace->graph;
    const Shape *shape = shape_of(graph, object);
    const uint32_t *targets = graph->targets + graph->offsets[object];
    uint32_t count = graph->offsets[object + 1] - graph->offsets[object];
    uint32_t group = graph->group_of[object], own_label = graph->groups.items[group].label;
    int is_namespace = own_label == trace->dunder_dict || own_label == trace->dunder_globals;
    int kind = shape->flags & NO_TAIL ? PLAIN : shape->kind;
    for (uint32_t slot = 0; slot < count; slot++) {
        if (targets[slot] == EMPTY || graph->group_of[targets[slot]] != NO_GROUP) {
            continue;
        }
        if (is_deferred(trace, object, own_label, targets[slot])) {
            TRY(defer(trace, targets[slot]));
            continue;
        }
        uint32_t label = LABEL_REFERENT, position = slot - shape->name_count;
        if (slot < shape->name_count) {
            label = label_of_named(trace, shape, object, slot);
        }
        else if (kind == SEQUENCE || kind == SET) {
            label = label_of_item(trace, own_label, position);
        }
        else if (kind == MAPPING) {
            label = position % 2 == 0 ? LABEL_KEY
                    : is_namespace    ? trace_label_of_value(graph, targets[slot - 1])
                                      : LABEL_VALUE;
        }
        TRY(reach(trace, targets[slot], group, label));
    }
    return DONE;
}

static Status
run(Trace *trace)
{
    while (trace->first < trace->end) {
        TRY(reach_referents(trace, trace->queue[trace->first++]));
    }
    return DONE;
}

static Status
add_root_edge(Trace *trace, uint32_t holder, uint32_t object, uint32_t label)
{
    PUSH(trace->graph->root_edges, (RootEdge){holder, object, label});
    return reach(trace, object, holder, label);
}

static Status
add_root(Trace *trace, const Root *root)
{
    Graph *graph = trace->graph;
    uint32_t object = index_find(&graph->index, root->place);
    uint32_t label = label_of_name(root->name, LABEL_REFERENT);
    return object == UINT32_MAX ? DONE : add_root_edge(trace, root->holder, object, label);
}

static Status
trace_modules(Trace *trace)
{
    const Graph *graph = trace->graph;
    /* __main__ comes last: a global that the script imported is found by the name of its module. */
    for (int wants_main = 0; wants_main < 2; wants_main++) {
        for (size_t i = 0; i < graph->roots.count; i++) {
            const Root *root = &graph->roots.items[i];
            if (root->role == MODULE && (label_of_name(root->name, LABEL_REFERENT) == trace->dunder_main) == wants_main) {
                TRY(add_root(trace, root));
            }
        }
    }
    return run(trace);
}

static Status
trace_frames(Trace *trace)
{
    const Graph *graph = trace->graph;
    for (size_t i = 0; i < graph->roots.count; i++) {
        const Root *root = &graph->roots.items[i];
        if (root->role == LOCAL || root->role == HELD_BY_FRAME) {
            TRY(add_root(trace, root));
        }
    }
    return run(trace);
}

static Status
trace_interpreter(Trace *trace)
{
    const Graph *graph = trace->graph;
    for (size_t i = 0; i < graph->roots.count; i++) {
        if (graph->roots.items[i].role == HELD_BY_INTERPRETER) {
            TRY(add_root(trace, &graph->roots.items[i]));
        }
    }
    for (uint32_t object = 0; object < graph->objects; object++) {
        if (graph->reference_counts[object] == 0) {
            TRY(add_root_edge(trace, HOLDER_INTERPRETER, object, LABEL_REFERENT)); /* immortal */
        }
    }
    return run(trace);
}

/* Subtract from each reference count the references of objects. Objects behind roots are reached already. */
static void
subtract_known_references(Graph *graph)
{
    for (uint32_t slot = 0; slot < graph->offsets[graph->objects]; slot++) {
        if (graph->targets[slot] != EMPTY) {
            uint32_t *left = &graph->reference_counts[graph->targets[slot]];
            *left -= *left > 0;
        }
    }
}

static Status
trace_outside(Trace *trace)
{
    const Graph *graph = trace->graph;
    for (uint32_t object = 0; object < graph->objects; object++) {
        if (graph->group_of[object] == NO_GROUP && graph->reference_counts[object]) {
            TRY(add_root_edge(trace, HOLDER_OUTSIDE, object, LABEL_REFERENT));
        }
    }
    return run(trace);
}

/* Mark all unreached objects behind an object that are not marked yet. */
static void
visit(Trace *trace, uint8_t *visited, uint32_t object, uint8_t mark)
{
    const Graph *graph = trace->graph;
    uint32_t *stack = trace->queue + trace->end, depth = 0;
    visited[object] = mark;
    stack[depth++] = object;
    while (depth) {
        object = stack[--depth];
        for (uint32_t slot = graph->offsets[object]; slot < graph->offsets[object + 1]; slot++) {
            uint32_t target = graph->targets[slot];
            if (target != EMPTY && graph->group_of[target] == NO_GROUP && visited[target] != mark) {
                visited[target] = mark;
                stack[depth++] = target;
            }
        }
    }
}

static void
visit_if_new(Trace *trace, uint8_t *visited, uint32_t object)
{
    if (object != UINT32_MAX && trace->graph->group_of[object] == NO_GROUP && !visited[object]) {
        visit(trace, visited, object, 1);
    }
}

/* Mark all unreached objects behind the deferred references and the roots that are traced later. */
static void
visit_reachable(Trace *trace, uint8_t *visited)
{
    Graph *graph = trace->graph;
    for (size_t i = 0; i < trace->deferred.count; i++) {
        visit_if_new(trace, visited, trace->deferred.items[i]);
    }
    for (size_t i = 0; i < graph->roots.count; i++) {
        visit_if_new(trace, visited, index_find(&graph->index, graph->roots.items[i].place));
    }
}

/* Add root edges to the reachable objects that have a part in asyncio's scheduling and no group yet. */
static Status
add_parts(Trace *trace, const uint8_t *visited, AsyncioPart part)
{
    const Graph *graph = trace->graph;
    for (uint32_t object = 0; object < graph->objects; object++) {
        if (visited[object] && graph->group_of[object] == NO_GROUP && trace->parts[type_of(graph, object)] == part) {
            uint32_t label = part == PART_TASK ? asyncio_label_of_task(graph, object) : LABEL_REFERENT;
            TRY(add_root_edge(trace, HOLDER_THREADS, object, label));
        }
    }
    return run(trace);
}

static Status
trace_asyncio(Trace *trace)
{
    if (!trace->parts) {
        return DONE;
    }
    uint8_t *visited = calloc(trace->graph->objects, 1);
    Status status = visited ? DONE : NO_MEMORY;
    if (visited) {
        visit_reachable(trace, visited);
    }
    for (AsyncioPart part = PART_TASK; status == DONE && part <= PART_LOOP; part++) {
        status = add_parts(trace, visited, part);
    }
    free(visited);
    free(trace->parts);
    trace->parts = NULL;
    return status;
}

static int
has_dotted_type(const Graph *graph, uint32_t object)
{
    size_t length;
    const uint8_t *name = strings_get(&graph->types, type_of(graph, object), &length);
    return length && memchr(name, '.', length) != NULL;
}

typedef struct {
    VECTOR(uint32_t) items;
} Heads;

/* Find objects that lead to all garbage: the first object of each search among the unvisited ones. */
static Status
find_heads(Trace *trace, uint8_t *visited, Heads *heads)
{
    const Graph *graph = trace->graph;
    for (int wants_dotted = 1; wants_dotted >= 0; wants_dotted--) {
        for (uint32_t object = 0; object < graph->objects; object++) {
            if (graph->group_of[object] == NO_GROUP && !visited[object]
                && has_dotted_type(graph, object) == wants_dotted) {
                PUSH(heads->items, object);
                visit(trace, visited, object, 1);
            }
        }
    }
    return DONE;
}

/* Add a root edge to one object of each cycle to which no other garbage refers. A search from the last head backwards
   finds the heads that no other head reaches. */
static Status
add_heads(Trace *trace, uint8_t *visited, Heads *heads)
{
    size_t kept = 0;
    TRY(find_heads(trace, visited, heads));
    for (size_t i = heads->items.count; i-- > 0;) {
        uint32_t object = heads->items.items[i];
        if (visited[object] != 2) {
            visit(trace, visited, object, 2);
            heads->items.items[heads->items.count - 1 - kept++] = object;
        }
    }
    for (size_t i = 0; i < kept; i++) {
        TRY(add_root_edge(trace, HOLDER_GARBAGE, heads->items.items[heads->items.count - 1 - i], LABEL_REFERENT));
    }
    return DONE;
}

static Status
trace_garbage(Trace *trace)
{
    if (trace->end == trace->graph->objects) {
        return DONE;
    }
    uint8_t *visited = calloc(trace->graph->objects, 1);
    Heads heads = {0};
    Status status = visited ? add_heads(trace, visited, &heads) : NO_MEMORY;
    RELEASE(heads.items);
    free(visited);
    return status == DONE ? run(trace) : status;
}

static Status
trace_stages(Trace *trace)
{
    TRY(groups_begin(trace->graph));
    TRY(name_objects(trace->graph));
    TRY(trace_modules(trace));
    TRY(trace_asyncio(trace));
    TRY(trace_frames(trace));
    TRY(trace_interpreter(trace));
    subtract_known_references(trace->graph);
    TRY(trace_outside(trace));
    return trace_garbage(trace);
}

Status
trace(Graph *graph)
{
    Trace trace = {.graph = graph};
    trace.dunder_dict = label_of_name(strings_find(&graph->strings, "__dict__"), NO_LABEL);
    graph->dict_label = trace.dunder_dict;
    graph->coroutine_type = strings_find(&graph->types, "coroutine");
    trace.dunder_globals = label_of_name(strings_find(&graph->strings, "__globals__"), NO_LABEL);
    trace.dunder_closure = label_of_name(strings_find(&graph->strings, "__closure__"), NO_LABEL);
    trace.dunder_main = label_of_name(strings_find(&graph->strings, "__main__"), NO_LABEL);
    trace.current_tasks = label_of_name(strings_find(&graph->strings, "_current_tasks"), NO_LABEL);
    trace.eager_tasks = label_of_name(strings_find(&graph->strings, "_eager_tasks"), NO_LABEL);
    trace.module_type = strings_find(&graph->types, "module");
    trace.queue = allocate(graph->objects, sizeof(uint32_t));
    graph->group_of = allocate(graph->objects, sizeof(uint32_t));
    trace.parts = allocate(graph->types.ends.count, 1);
    Status status = NO_MEMORY;
    if (trace.queue && graph->group_of && trace.parts) {
        if (!asyncio_parts(graph, trace.parts)) {
            free(trace.parts);
            trace.parts = NULL;
        }
        memset(graph->group_of, 0xff, graph->objects * sizeof(uint32_t));
        status = trace_stages(&trace);
    }
    free(trace.queue);
    free(trace.parts);
    RELEASE(trace.deferred);
    free(graph->reference_counts);
    graph->reference_counts = NULL;
    return status;
}
