#include "index.h"

#include <string.h>

enum { PAGE_SHIFT = 8, WORD_SHIFT = 6, WORDS = 4 };

static unsigned
bit_count(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)(bits * 0x0101010101010101u >> 56);
}

static size_t
slot_of(const Index *index, uint64_t number)
{
    size_t slot = scramble(number) & (index->capacity - 1);
    while (index->slots[slot] && index->pages.items[index->slots[slot] - 1].number != number) {
        slot = (slot + 1) & (index->capacity - 1);
    }
    return slot;
}

static void
fill_slots(Index *index)
{
    memset(index->slots, 0, index->capacity * sizeof *index->slots);
    for (size_t i = 0; i < index->pages.count; i++) {
        index->slots[slot_of(index, index->pages.items[i].number)] = (uint32_t)i + 1;
    }
}

static Status
enlarge(Index *index)
{
    size_t capacity = index->capacity ? index->capacity * 2 : 1024;
    uint32_t *slots = allocate(capacity, sizeof *slots);
    if (!slots) {
        return NO_MEMORY;
    }
    free(index->slots);
    index->slots = slots;
    index->capacity = capacity;
    fill_slots(index);
    return DONE;
}

static Page *
find_page(Index *index, uint64_t number)
{
    if (index->last < index->pages.count && index->pages.items[index->last].number == number) {
        return &index->pages.items[index->last];
    }
    uint32_t found = index->capacity ? index->slots[slot_of(index, number)] : 0;
    if (!found) {
        return NULL;
    }
    index->last = found - 1;
    return &index->pages.items[index->last];
}

static Status
add_page(Index *index, uint64_t number)
{
    if (index->pages.count * 2 >= index->capacity) {
        TRY(enlarge(index));
    }
    PUSH(index->pages, (Page){.number = number});
    index->last = (uint32_t)index->pages.count - 1;
    index->slots[slot_of(index, number)] = (uint32_t)index->pages.count;
    return DONE;
}

Status
index_add(Index *index, uint64_t place, int *is_new)
{
    if (!find_page(index, place >> PAGE_SHIFT)) {
        TRY(add_page(index, place >> PAGE_SHIFT));
    }
    uint64_t *word = &index->pages.items[index->last].bits[place >> WORD_SHIFT & (WORDS - 1)];
    uint64_t bit = (uint64_t)1 << (place & 63);
    *is_new = !(*word & bit);
    *word |= bit;
    return DONE;
}

static int
by_number(const void *left, const void *right)
{
    uint64_t a = ((const Page *)left)->number, b = ((const Page *)right)->number;
    return (a > b) - (a < b);
}

Status
index_rank(Index *index)
{
    uint32_t rank = 0;
    if (index->pages.count) {
        qsort(index->pages.items, index->pages.count, sizeof(Page), by_number);
        fill_slots(index);
    }
    for (size_t i = 0; i < index->pages.count; i++) {
        Page *page = &index->pages.items[i];
        page->rank = rank;
        for (int word = 0; word < WORDS; word++) {
            rank += bit_count(page->bits[word]);
        }
    }
    index->last = 0;
    return DONE;
}

uint32_t
index_find(Index *index, uint64_t place)
{
    const Page *page = find_page(index, place >> PAGE_SHIFT);
    unsigned word = place >> WORD_SHIFT & (WORDS - 1);
    uint64_t bit = (uint64_t)1 << (place & 63);
    if (!page || !(page->bits[word] & bit)) {
        return UINT32_MAX;
    }
    uint32_t rank = page->rank + bit_count(page->bits[word] & (bit - 1));
    for (unsigned lower = 0; lower < word; lower++) {
        rank += bit_count(page->bits[lower]);
    }
    return rank;
}

void
index_places(const Index *index, uint64_t *places)
{
    for (size_t i = 0; i < index->pages.count; i++) {
        const Page *page = &index->pages.items[i];
        for (unsigned bit = 0; bit < 1u << PAGE_SHIFT; bit++) {
            if (page->bits[bit >> WORD_SHIFT] >> (bit & 63) & 1) {
                *places++ = page->number << PAGE_SHIFT | bit;
            }
        }
    }
}

void
index_free(Index *index)
{
    RELEASE(index->pages);
    free(index->slots);
    index->slots = NULL;
    index->capacity = 0;
}
