/* Dominators by the simple version of T. Lengauer and R. E. Tarjan, "A Fast Algorithm for Finding Dominators in a
   Flowgraph", TOPLAS 1 (1979): O(m log n) for every graph. (Semi-NCA is a little faster on most graphs,
   but quadratic where a long list ends in a large one.) A node dominates another one if every path from the root to that
   one leads through it. Its retained size is the size of all nodes that it dominates, itself included.

   Nodes are renumbered in the order of a depth-first search; "number" always means such a number. */
#include "dominators.h"

#include <string.h>

#define UNSEEN UINT32_MAX

/* The edges of the holders: to other holders first, then to objects. */
typedef struct {
    uint32_t *offsets;
    uint32_t *targets;
} HolderEdges;

typedef struct {
    const Graph *graph;
    uint32_t nodes;
    HolderEdges holder_edges;
    uint32_t *number_of; /* by node; later, the stack of compress() */
    uint32_t *node_of;
    uint32_t *idom; /* first the parent in the search tree, then the next number in the same bucket */
    uint32_t *semi; /* first the cursor of the search */
    uint32_t *ancestor;
    uint32_t *label;  /* of the numbers that compress() has passed, the one with the least semidominator */
    uint32_t *bucket; /* the first number whose semidominator is this one */
    uint32_t *in_offsets;
    uint32_t *in_edges;
} Search;

static Status
gather_holder_edges(Search *search)
{
    const Graph *graph = search->graph;
    size_t holders = graph->holders.count, edges = holders - 1 + graph->root_edges.count;
    HolderEdges *holder_edges = &search->holder_edges;
    holder_edges->offsets = calloc(holders + 2, sizeof(uint32_t));
    holder_edges->targets = allocate(edges, sizeof(uint32_t));
    if (!holder_edges->offsets || !holder_edges->targets || edges >= UINT32_MAX) {
        return NO_MEMORY;
    }
    uint32_t *next = holder_edges->offsets + 1; /* advances while edges are added; in the end it is the offsets */
    for (size_t i = 1; i < holders; i++) {
        next[graph->holders.items[i].parent + 1]++;
    }
    for (size_t i = 0; i < graph->root_edges.count; i++) {
        next[graph->root_edges.items[i].holder + 1]++;
    }
    for (size_t i = 1; i < holders; i++) {
        next[i] += next[i - 1];
    }
    for (size_t i = 1; i < holders; i++) {
        holder_edges->targets[next[graph->holders.items[i].parent]++] = graph->objects + (uint32_t)i;
    }
    for (size_t i = 0; i < graph->root_edges.count; i++) {
        const RootEdge *edge = &graph->root_edges.items[i];
        holder_edges->targets[next[edge->holder]++] = edge->target;
    }
    return DONE;
}

/* Return the first edge of a node, and set `end` to the end of its edges. */
static inline const uint32_t *
edges_of(const Search *search, uint32_t node, const uint32_t **end)
{
    const uint32_t *offsets = search->graph->offsets, *targets = search->graph->targets;
    if (node >= search->graph->objects) {
        node -= search->graph->objects;
        offsets = search->holder_edges.offsets;
        targets = search->holder_edges.targets;
    }
    *end = targets + offsets[node + 1];
    return targets + offsets[node];
}

static void
number_nodes(Search *search)
{
    uint32_t root = search->graph->objects, count = 1, current = 0;
    uint32_t *cursor = search->semi, *parent = search->idom;
    memset(search->number_of, 0xff, search->nodes * sizeof(uint32_t));
    search->number_of[root] = 0;
    search->node_of[0] = root;
    parent[0] = UNSEEN;
    cursor[0] = 0;
    while (current != UNSEEN) {
        const uint32_t *end, *begin = edges_of(search, search->node_of[current], &end);
        const uint32_t *edge = begin + cursor[current];
        while (edge < end && (*edge == EMPTY || search->number_of[*edge] != UNSEEN)) {
            edge++;
        }
        cursor[current] = (uint32_t)(edge - begin);
        if (edge == end) {
            current = parent[current];
            continue;
        }
        search->number_of[*edge] = count;
        search->node_of[count] = *edge;
        parent[count] = current;
        cursor[count] = 0;
        current = count++;
    }
}

/* Collect the numbers that refer to each number. */
static Status
gather_referrers(Search *search)
{
    uint32_t *next = search->in_offsets + 1;
    const uint32_t *end;
    uint64_t edges = 0;
    for (uint32_t number = 0; number < search->nodes; number++) {
        for (const uint32_t *edge = edges_of(search, search->node_of[number], &end); edge < end; edge++) {
            if (*edge != EMPTY) {
                next[search->number_of[*edge] + 1]++;
                edges++;
            }
        }
    }
    for (uint32_t number = 1; number < search->nodes; number++) {
        next[number] += next[number - 1];
    }
    search->in_edges = edges < UINT32_MAX ? allocate(edges, sizeof(uint32_t)) : NULL;
    if (!search->in_edges) {
        return NO_MEMORY;
    }
    for (uint32_t number = 0; number < search->nodes; number++) {
        for (const uint32_t *edge = edges_of(search, search->node_of[number], &end); edge < end; edge++) {
            if (*edge != EMPTY) {
                search->in_edges[next[search->number_of[*edge]]++] = number;
            }
        }
    }
    return DONE;
}

/* Return the number with the least semidominator on the path from a linked number up to `first`; compress the path. */
static uint32_t
compress(Search *search, uint32_t number, uint32_t first)
{
    uint32_t *ancestor = search->ancestor, *label = search->label, *stack = search->number_of, depth = 0;
    const uint32_t *semi = search->semi;
    while (ancestor[number] >= first) {
        stack[depth++] = number;
        number = ancestor[number];
    }
    while (depth) {
        uint32_t below = stack[--depth];
        ancestor[below] = ancestor[number];
        label[below] = semi[label[number]] < semi[label[below]] ? label[number] : label[below];
        number = below;
    }
    return label[number];
}

/* Return the semidominator of a number. All higher numbers are linked. */
static uint32_t
semidominator(Search *search, uint32_t number)
{
    uint32_t semi = search->idom[number];
    for (uint32_t i = search->in_offsets[number]; i < search->in_offsets[number + 1]; i++) {
        uint32_t from = search->in_edges[i];
        uint32_t candidate = from <= number ? from : search->semi[compress(search, from, number + 1)];
        semi = candidate < semi ? candidate : semi;
    }
    return semi;
}

/* Resolve the dominators of the numbers whose semidominator is `parent`. All numbers from `number` on are linked. */
static void
resolve_bucket(Search *search, uint32_t parent, uint32_t number)
{
    uint32_t next = search->bucket[parent];
    search->bucket[parent] = UNSEEN;
    while (next != UNSEEN) {
        uint32_t resolved = next, least = compress(search, resolved, number);
        next = search->idom[resolved];
        search->idom[resolved] = search->semi[least] < parent ? least : parent;
    }
}

static void
find_dominators(Search *search)
{
    memcpy(search->ancestor, search->idom, search->nodes * sizeof(uint32_t));
    memset(search->bucket, 0xff, search->nodes * sizeof(uint32_t));
    for (uint32_t number = search->nodes - 1; number > 0; number--) {
        uint32_t parent = search->idom[number], semi = semidominator(search, number);
        search->semi[number] = semi;
        search->label[number] = number;
        search->idom[number] = search->bucket[semi];
        search->bucket[semi] = number;
        resolve_bucket(search, parent, number);
    }
    for (uint32_t number = 1; number < search->nodes; number++) {
        if (search->idom[number] != search->semi[number]) {
            search->idom[number] = search->idom[search->idom[number]];
        }
    }
}

static Status
search_dominators(Search *search)
{
    size_t nodes = search->nodes;
    TRY(gather_holder_edges(search));
    search->number_of = allocate(nodes, sizeof(uint32_t));
    search->node_of = allocate(nodes, sizeof(uint32_t));
    search->idom = allocate(nodes, sizeof(uint32_t));
    search->semi = allocate(nodes, sizeof(uint32_t));
    search->in_offsets = calloc(nodes + 2, sizeof(uint32_t));
    if (!search->number_of || !search->node_of || !search->idom || !search->semi || !search->in_offsets) {
        return NO_MEMORY;
    }
    number_nodes(search);
    TRY(gather_referrers(search));
    search->ancestor = allocate(nodes, sizeof(uint32_t));
    search->label = allocate(nodes, sizeof(uint32_t));
    search->bucket = allocate(nodes, sizeof(uint32_t));
    if (!search->ancestor || !search->label || !search->bucket) {
        return NO_MEMORY;
    }
    find_dominators(search);
    return DONE;
}

/* Add the bytes of each number to the retained bytes of its dominator, and store the results by node. */
static Status
retain(Graph *graph, const Search *search)
{
    graph->retained = allocate(search->nodes, sizeof(uint64_t));
    graph->idom = allocate(search->nodes, sizeof(uint32_t));
    if (!graph->retained || !graph->idom) {
        return NO_MEMORY;
    }
    memcpy(graph->retained, graph->sizes, graph->objects * sizeof(uint64_t));
    memset(graph->retained + graph->objects, 0, graph->holders.count * sizeof(uint64_t));
    graph->idom[search->node_of[0]] = search->node_of[0];
    for (uint32_t number = search->nodes - 1; number > 0; number--) {
        uint32_t node = search->node_of[number], dominator = search->node_of[search->idom[number]];
        graph->idom[node] = dominator;
        graph->retained[dominator] += graph->retained[node];
    }
    return DONE;
}

/* Order the nodes so that the nodes that a node dominates follow it. */
static Status
order(Graph *graph, const Search *search)
{
    size_t nodes = search->nodes;
    uint32_t *next = allocate(nodes, sizeof(uint32_t));
    graph->preorder = allocate(nodes, sizeof(uint32_t));
    graph->subtree = allocate(nodes, sizeof(uint32_t));
    if (!next || !graph->preorder || !graph->subtree) {
        free(next);
        return NO_MEMORY;
    }
    for (uint32_t node = 0; node < nodes; node++) {
        graph->subtree[node] = 1;
    }
    for (uint32_t number = search->nodes - 1; number > 0; number--) {
        uint32_t node = search->node_of[number];
        graph->subtree[graph->idom[node]] += graph->subtree[node];
    }
    graph->preorder[0] = search->node_of[0];
    next[search->node_of[0]] = 1;
    for (uint32_t number = 1; number < nodes; number++) {
        uint32_t node = search->node_of[number], position = next[graph->idom[node]];
        next[graph->idom[node]] += graph->subtree[node];
        graph->preorder[position] = node;
        next[node] = position + 1;
    }
    free(next);
    return DONE;
}

static void
free_search(Search *search)
{
    free(search->number_of);
    free(search->semi);
    free(search->ancestor);
    free(search->label);
    free(search->bucket);
    free(search->in_offsets);
    free(search->in_edges);
    free(search->holder_edges.offsets);
    free(search->holder_edges.targets);
    *search = (Search){.graph = search->graph, .nodes = search->nodes, .node_of = search->node_of, .idom = search->idom};
}

Status
dominate(Graph *graph)
{
    Search search = {.graph = graph, .nodes = graph->objects + (uint32_t)graph->holders.count};
    Status status = search_dominators(&search);
    free_search(&search);
    if (status == DONE) {
        status = retain(graph, &search);
    }
    if (status == DONE) {
        status = order(graph, &search);
    }
    free(search.node_of);
    free(search.idom);
    return status;
}

Status
retained_by(const Graph *graph, const uint32_t *group_of, uint32_t count, uint64_t *bytes)
{
    uint32_t nodes = graph->objects + (uint32_t)graph->holders.count;
    uint32_t *counted_until = calloc((size_t)count + 1, sizeof(uint32_t));
    if (!counted_until) {
        return NO_MEMORY;
    }
    memset(bytes, 0, count * sizeof(uint64_t));
    for (uint32_t position = 0; position < nodes; position++) {
        uint32_t node = graph->preorder[position];
        uint32_t group = node < graph->objects ? group_of[node] : NO_GROUP;
        if (group < count && position >= counted_until[group]) {
            bytes[group] += graph->retained[node];
            counted_until[group] = position + graph->subtree[node];
        }
    }
    free(counted_until);
    return DONE;
}

void
totals_by(const Graph *graph, const uint32_t *group_of, uint32_t count, uint64_t *objects, uint64_t *bytes)
{
    memset(objects, 0, count * sizeof(uint64_t));
    memset(bytes, 0, count * sizeof(uint64_t));
    for (uint32_t object = 0; object < graph->objects; object++) {
        if (group_of[object] < count) {
            objects[group_of[object]]++;
            bytes[group_of[object]] += graph->sizes[object];
        }
    }
}
