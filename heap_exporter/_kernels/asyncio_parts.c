#include "asyncio_parts.h"

#include <string.h>

static const struct {
    const char *type;
    AsyncioPart part;
} known[] = {
    {"_asyncio.Task", PART_TASK},
    {"asyncio.tasks.Task", PART_TASK},
    {"asyncio.events.Handle", PART_CALLBACK},
    {"asyncio.events.TimerHandle", PART_CALLBACK},
    {"uvloop.loop.Handle", PART_CALLBACK},
    {"uvloop.loop.TimerHandle", PART_CALLBACK},
    {"uvloop.Loop", PART_LOOP},
    {"_asyncio.Future", PART_WAKER},
    {"asyncio.futures.Future", PART_WAKER},
    {"TaskStepMethWrapper", PART_WAKER},
    {"_asyncio.TaskStepMethWrapper", PART_WAKER},
    {"builtin_function_or_method", PART_WAKER},
    {"method", PART_WAKER},
};

static int
begins_with(const uint8_t *name, size_t length, const char *with)
{
    return length >= strlen(with) && memcmp(name, with, strlen(with)) == 0;
}

static int
ends_with(const uint8_t *name, size_t length, const char *with)
{
    return length >= strlen(with) && memcmp(name + length - strlen(with), with, strlen(with)) == 0;
}

static AsyncioPart
part_of(const uint8_t *name, size_t length)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (length == strlen(known[i].type) && begins_with(name, length, known[i].type)) {
            return known[i].part;
        }
    }
    return begins_with(name, length, "asyncio.") && ends_with(name, length, "EventLoop") ? PART_LOOP : PART_NONE;
}

int
asyncio_parts(const Graph *graph, uint8_t *parts)
{
    int found = 0;
    for (uint32_t type = 0; type < graph->types.ends.count; type++) {
        size_t length;
        const uint8_t *name = strings_get(&graph->types, type, &length);
        parts[type] = (uint8_t)part_of(name, length);
        found |= parts[type] == PART_TASK || parts[type] == PART_CALLBACK || parts[type] == PART_LOOP;
    }
    return found;
}

uint32_t
asyncio_label_of_task(const Graph *graph, uint32_t task)
{
    uint32_t coroutine = strings_find(&graph->types, "coroutine"), generator = strings_find(&graph->types, "generator");
    for (uint32_t slot = graph->offsets[task]; slot < graph->offsets[task + 1]; slot++) {
        uint32_t target = graph->targets[slot];
        if (target != EMPTY && (type_of(graph, target) == coroutine || type_of(graph, target) == generator)) {
            const Shape *shape = shape_of(graph, target);
            uint32_t function = shape->cell_count ? graph->shape_names.items[shape->names + shape->name_count] : NO_NAME;
            return label_of_name(function, LABEL_REFERENT);
        }
    }
    return LABEL_REFERENT;
}
