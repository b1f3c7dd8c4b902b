#include "areas.h"

#include <errno.h>
#include <string.h>

void
areas_init(Areas *areas, Arena *arena)
{
    memset(areas, 0, sizeof(*areas));
    areas->arena = arena;
    areas->items.item_bytes = sizeof(Area);
    areas->tables = arena_alloc(arena, ((size_t)1 << TABLE_COUNT_BITS) * sizeof(uint32_t *));
    areas->low = UINTPTR_MAX;
}

static void
own_page(Areas *areas, uintptr_t page, uint32_t number)
{
    uintptr_t table = page >> (PAGE_BITS + TABLE_PAGE_BITS);
    if (table >> TABLE_COUNT_BITS) {
        fault_raise(areas->arena->fault, FAULT_DAMAGED, EFAULT);
    }
    if (!areas->tables[table]) {
        areas->tables[table] = arena_alloc(areas->arena, ((size_t)1 << TABLE_PAGE_BITS) * sizeof(uint32_t));
    }
    areas->tables[table][page >> PAGE_BITS & ((1u << TABLE_PAGE_BITS) - 1)] = number;
}

Area *
areas_add(Areas *areas, uintptr_t begin, uintptr_t end, uintptr_t first, uint64_t places, uint32_t place_bytes)
{
    if (stack_reserve(&areas->items, 1) < 0) {
        fault_raise(areas->arena->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    Area *area = areas_get(areas, areas->items.count++);
    memset(area, 0, sizeof(*area));
    area->first = first;
    area->places = places;
    area->place_bytes = place_bytes;
    area->inverse = (((uint64_t)1 << 32) + place_bytes - 1) / place_bytes;
    for (uintptr_t page = begin; page < end; page += PAGE_BYTES) {
        own_page(areas, page, (uint32_t)areas->items.count);
    }
    size_t bytes = area_words(area) * sizeof(uint64_t);
    area->used = arena_alloc(areas->arena, bytes);
    area->reached = arena_alloc(areas->arena, bytes);
    area->links[0] = arena_alloc(areas->arena, bytes);
    area->links[1] = arena_alloc(areas->arena, bytes);
    areas->low = begin < areas->low ? begin : areas->low;
    areas->high = end > areas->high ? end : areas->high;
    return area;
}

uint32_t
areas_keep_unreached(Areas *areas)
{
    uint32_t count = 0;
    for (size_t i = 0; i < areas_count(areas); i++) {
        Area *area = areas_get(areas, i);
        area->used_before = arena_alloc(areas->arena, area_words(area) * sizeof(uint32_t));
        for (size_t word = 0; word < area_words(area); word++) {
            area->used[word] &= ~area->reached[word];
            area->reached[word] = 0;
            area->used_before[word] = count;
            count += (uint32_t)__builtin_popcountll(area->used[word]);
        }
    }
    return count;
}
