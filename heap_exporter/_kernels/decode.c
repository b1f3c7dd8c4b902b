#include "decode.h"

#include <string.h>

#include "cursor.h"

#define SIZES_END ((uint64_t)1 << 63)

enum { MAX_NAMES = 65536, MAX_NODES = 0x70000000, MAX_SHAPES = 0x70000000 };

/* Read a string; the empty string counts as no name. */
static Status
name_from(Cursor *cursor, Strings *strings, uint32_t *number)
{
    size_t length;
    const uint8_t *bytes = cursor_string(cursor, &length);
    *number = NO_NAME;
    return length ? strings_add(strings, bytes, length, number) : DONE;
}

static Status
type_record(Decoder *decoder, Cursor *cursor)
{
    Type type;
    size_t length;
    const uint8_t *name = cursor_string(cursor, &length);
    if (cursor_varint(cursor) >= PLACE_END) {
        cursor_fail(cursor, "a place is out of range");
    }
    type.kind = (uint32_t)cursor_limited(cursor, SET + 1, "the kind of a type is unknown");
    if (!cursor_is_good(cursor) || decoder->keeps) {
        return DONE;
    }
    TRY(strings_add(&decoder->graph->types, name, length, &type.name));
    PUSH(decoder->graph->type_records, type);
    return DONE;
}

static Status
names(Decoder *decoder, Cursor *cursor, uint32_t *count)
{
    Graph *graph = decoder->graph;
    *count = (uint32_t)cursor_limited(cursor, MAX_NAMES + 1, "a shape has too many names");
    for (uint32_t i = 0; i < *count && cursor_is_good(cursor); i++) {
        uint32_t name;
        if (decoder->keeps) {
            size_t length;
            cursor_string(cursor, &length);
            continue;
        }
        TRY(name_from(cursor, &graph->strings, &name));
        PUSH(graph->shape_names, name);
    }
    return DONE;
}

static Status
shape_record(Decoder *decoder, Cursor *cursor)
{
    Graph *graph = decoder->graph;
    Shape shape = {.names = graph->shape_names.count};
    uint64_t type = cursor_varint(cursor);
    shape.flags = (uint8_t)cursor_limited(cursor, 16, "the flags of a shape are unknown");
    shape.size = shape.flags & FIXED_SIZE ? cursor_varint(cursor) : 0;
    TRY(names(decoder, cursor, &shape.name_count));
    TRY(names(decoder, cursor, &shape.cell_count));
    if (!cursor->short_of && type >= graph->type_records.count) {
        cursor_fail(cursor, "the type of a shape is unknown");
    }
    if (!cursor_is_good(cursor)) {
        graph->shape_names.count = shape.names;
        return DONE;
    }
    if (graph->shapes.count >= MAX_SHAPES) {
        cursor_fail(cursor, "it has too many shapes");
        return DONE;
    }
    if (!decoder->keeps) {
        shape.type = graph->type_records.items[type].name;
        shape.kind = (uint8_t)graph->type_records.items[type].kind;
        PUSH(graph->shapes, shape);
    }
    return DONE;
}

static Status
name_record(Decoder *decoder, Cursor *cursor)
{
    Named named = {.place = cursor_place(cursor, decoder->place)};
    size_t length;
    const uint8_t *name = cursor_string(cursor, &length);
    if (cursor_is_good(cursor) && !decoder->keeps) {
        TRY(strings_add(&decoder->graph->strings, name, length, &named.string));
        PUSH(decoder->graph->named, named);
    }
    return DONE;
}

static Status
add_holder(Decoder *decoder, Holder holder, uint32_t *number)
{
    if (decoder->graph->holders.count >= MAX_NODES / 16) {
        decoder->problem = "it has too many frames";
        return ALTERED;
    }
    *number = (uint32_t)decoder->graph->holders.count;
    PUSH(decoder->graph->holders, holder);
    return DONE;
}

static Status
thread_record(Decoder *decoder, Cursor *cursor)
{
    Holder holder = {.ident = cursor_varint(cursor), .parent = HOLDER_THREADS};
    cursor_varint(cursor);
    if (cursor_is_good(cursor) && !decoder->keeps) {
        TRY(add_holder(decoder, holder, &decoder->thread));
        decoder->frame = decoder->thread;
    }
    return DONE;
}

static Status
frame_record(Decoder *decoder, Cursor *cursor)
{
    Holder holder = {.parent = decoder->thread, .is_frame = 1};
    cursor_varint(cursor);
    size_t length;
    const uint8_t *function = cursor_string(cursor, &length);
    if (cursor_is_good(cursor) && !decoder->keeps) {
        TRY(strings_add(&decoder->graph->functions, function, length, &holder.name));
        TRY(add_holder(decoder, holder, &decoder->frame));
    }
    return DONE;
}

static Status
root_record(Decoder *decoder, Cursor *cursor)
{
    Root root = {0};
    root.role = (uint8_t)cursor_limited(cursor, HELD_BY_INTERPRETER + 1, "the role of a root is unknown");
    cursor_limited(cursor, 2, "the ownership of a root is unknown");
    size_t length;
    const uint8_t *name = cursor_string(cursor, &length);
    root.place = cursor_place(cursor, decoder->place);
    if (cursor_is_good(cursor) && !decoder->keeps) {
        root.name = NO_NAME;
        TRY(length ? strings_add(&decoder->graph->strings, name, length, &root.name) : DONE);
        root.holder = root.role == MODULE                ? HOLDER_MODULES
                      : root.role == HELD_BY_INTERPRETER ? HOLDER_INTERPRETER
                                                         : decoder->frame;
        PUSH(decoder->graph->roots, root);
    }
    return DONE;
}

static void
count_record(const Decoder *decoder, Cursor *cursor)
{
    if (cursor_varint(cursor) >= decoder->graph->type_records.count) {
        cursor_fail(cursor, "the type of a count is unknown");
    }
    cursor_varint(cursor);
    cursor_varint(cursor);
}

static Status
add_node_stub(Decoder *decoder, Cursor *cursor, uint64_t place, uint64_t count)
{
    Graph *graph = decoder->graph;
    for (uint64_t i = 0; i < count && cursor_is_good(cursor); i++) {
        uint64_t edge = cursor_varint(cursor);
        if (edge && cursor_moved(place, edge - 1) >= PLACE_END) {
            cursor_fail(cursor, "a place is out of range");
        }
    }
    if (!cursor_is_good(cursor)) {
        return DONE;
    }
    int is_new;
    TRY(index_add(&graph->index, place, &is_new));
    if (!is_new) {
        cursor_fail(cursor, "it contains an object twice");
        return DONE;
    }
    PUSH(graph->node_stubs, (NodeStub){place, (uint32_t)count});
    graph->references += count;
    if (graph->node_stubs.count >= MAX_NODES || graph->references >= EMPTY) {
        cursor_fail(cursor, "it has more objects or references than can be numbered");
    }
    return DONE;
}

/* Store the edges of an object. The first pass validated them, but the file may have changed in between. */
static Status
keep_edges(Decoder *decoder, Cursor *cursor, uint32_t object, uint64_t place, uint64_t count)
{
    Graph *graph = decoder->graph;
    int is_weak = first_edge_is_weak(shape_of(graph, object));
    uint32_t slot = graph->offsets[object];
    if (count != graph->offsets[object + 1] - slot) {
        cursor_fail(cursor, "it changed while it was read");
        return DONE;
    }
    for (uint64_t i = 0; i < count && cursor_is_good(cursor); i++, slot++) {
        uint64_t edge = cursor_varint(cursor);
        uint64_t target_place = edge ? cursor_moved(place, edge - 1) : 0;
        uint32_t target = target_place ? index_find(&graph->index, target_place) : EMPTY;
        graph->unknown_references += target_place && target == EMPTY;
        graph->references += target != EMPTY;
        if (i == 0 && is_weak && target != EMPTY) {
            /* graph_restore_weak() restores it in the end: until then no kernel has to skip weak edges. */
            PUSH(graph->weak_edges, (WeakEdge){slot, target});
            target = EMPTY;
        }
        graph->targets[slot] = target;
    }
    return DONE;
}

static Status
node_record(Decoder *decoder, Cursor *cursor, uint64_t number)
{
    Graph *graph = decoder->graph;
    if (number >= graph->shapes.count) {
        cursor_fail(cursor, "the shape of an object is unknown");
        return DONE;
    }
    const Shape *shape = &graph->shapes.items[number];
    uint64_t place = cursor_place(cursor, decoder->place);
    uint64_t size = shape->flags & FIXED_SIZE ? shape->size : cursor_varint(cursor);
    uint64_t reference_count = cursor_varint(cursor);
    uint64_t count = shape->flags & LEAF ? 0 : cursor_varint(cursor);
    if (!cursor_is_good(cursor)) {
        return DONE;
    }
    if (!decoder->keeps) {
        TRY(add_node_stub(decoder, cursor, place, count));
    }
    else {
        uint32_t object = index_find(&graph->index, place);
        if (object == UINT32_MAX || graph->shape_of[object] != UINT32_MAX) {
            cursor_fail(cursor, "it changed while it was read");
            return DONE;
        }
        uint64_t references = graph->references, unknown_references = graph->unknown_references;
        size_t weak_count = graph->weak_edges.count;
        graph->shape_of[object] = (uint32_t)number;
        TRY(keep_edges(decoder, cursor, object, place, count));
        if (cursor->short_of) {
            graph->shape_of[object] = UINT32_MAX;
            graph->references = references;
            graph->unknown_references = unknown_references;
            graph->weak_edges.count = weak_count;
            return DONE;
        }
        graph->sizes[object] = size;
        graph->reference_counts[object] = reference_count < UINT32_MAX ? (uint32_t)reference_count : UINT32_MAX;
        if (size >= SIZES_END || (graph->bytes += size) >= SIZES_END) {
            cursor_fail(cursor, "the sizes of its objects are too large");
        }
    }
    if (!cursor->short_of) {
        decoder->place = place;
    }
    return DONE;
}

static Status
record(Decoder *decoder, Cursor *cursor)
{
    uint64_t kind = cursor_varint(cursor);
    if (!cursor_is_good(cursor)) {
        return DONE;
    }
    switch (kind) {
        case END:
            decoder->ended = 1;
            return DONE;
        case TYPE:
            return type_record(decoder, cursor);
        case SHAPE:
            return shape_record(decoder, cursor);
        case NAME:
            return name_record(decoder, cursor);
        case THREAD:
            return thread_record(decoder, cursor);
        case FRAME:
            return frame_record(decoder, cursor);
        case ROOT:
            return root_record(decoder, cursor);
        case COUNT:
            count_record(decoder, cursor);
            return DONE;
        default:
            return node_record(decoder, cursor, kind - NODE);
    }
}

static Status
append(Decoder *decoder, const uint8_t *bytes, size_t length)
{
    size_t wanted = decoder->pending.count + length;
    if (wanted > decoder->pending.capacity) {
        size_t capacity = wanted + wanted / 2;
        uint8_t *grown = capacity < wanted ? NULL : realloc(decoder->pending.items, capacity);
        if (!grown) {
            return NO_MEMORY;
        }
        decoder->pending.items = grown;
        decoder->pending.capacity = capacity;
    }
    if (length) {
        memcpy(decoder->pending.items + decoder->pending.count, bytes, length);
    }
    decoder->pending.count = wanted;
    return DONE;
}

Status
decoder_feed(Decoder *decoder, const uint8_t *bytes, size_t length, int may_be_last)
{
    TRY(append(decoder, bytes, length));
    if (decoder->pending.count < decoder->enough && !may_be_last) {
        return DONE;
    }
    const uint8_t *begin = decoder->pending.items, *end = begin + decoder->pending.count;
    Cursor cursor = {begin, end, 0, NULL};
    while (!decoder->ended && begin < end) {
        TRY(record(decoder, &cursor));
        if (cursor.problem) {
            decoder->problem = cursor.problem;
            return ALTERED;
        }
        if (cursor.short_of) {
            break;
        }
        begin = cursor.at;
    }
    size_t rest = (size_t)(end - begin);
    if (decoder->ended && rest) {
        decoder->problem = "something follows the last record";
        return ALTERED;
    }
    /* A long record is decoded again only when twice as many bytes have arrived: the total work stays linear. */
    decoder->enough = begin == decoder->pending.items ? 2 * rest : 0;
    memmove(decoder->pending.items, begin, rest);
    decoder->pending.count = rest;
    return DONE;
}

static Status
number_objects(Graph *graph)
{
    TRY(index_rank(&graph->index));
    graph->objects = (uint32_t)graph->node_stubs.count;
    size_t slots = graph->references;
    graph->references = 0;
    graph->offsets = calloc((size_t)graph->objects + 1, sizeof(uint32_t));
    if (!graph->offsets) {
        return NO_MEMORY;
    }
    for (size_t i = 0; i < graph->node_stubs.count; i++) {
        const NodeStub *stub = &graph->node_stubs.items[i];
        graph->offsets[index_find(&graph->index, stub->place) + 1] = stub->edges;
    }
    RELEASE(graph->node_stubs);
    for (uint32_t object = 0; object < graph->objects; object++) {
        graph->offsets[object + 1] += graph->offsets[object];
    }
    graph->targets = allocate(slots, sizeof(uint32_t));
    graph->shape_of = allocate(graph->objects, sizeof(uint32_t));
    graph->reference_counts = allocate(graph->objects, sizeof(uint32_t));
    graph->sizes = allocate(graph->objects, sizeof(uint64_t));
    if (!graph->targets || !graph->shape_of || !graph->reference_counts || !graph->sizes) {
        return NO_MEMORY;
    }
    memset(graph->shape_of, 0xff, graph->objects * sizeof(uint32_t));
    return DONE;
}

Status
decoder_rewind(Decoder *decoder)
{
    decoder->keeps = 1;
    decoder->ended = 0;
    decoder->place = 0;
    decoder->enough = 0;
    return number_objects(decoder->graph);
}

void
decoder_free(Decoder *decoder)
{
    RELEASE(decoder->pending);
}
