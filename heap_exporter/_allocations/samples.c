#include "samples.h"

#include <string.h>

#include "mapped.h"

enum { FIRST_PLACES = 4096, COUNT_STAYS = 255 };

uint64_t samples_filter[(1u << FILTER_BITS) / 64];

/* How many samples share a bit of the filter. A count that has reached its maximum stays there. */
static uint8_t filter_counts[1u << FILTER_BITS];

static Sample *table;
static uint64_t mask; /* places of the table - 1 */
static size_t count;

static void
filter_add(uintptr_t address)
{
    uint32_t slot = samples_filter_slot(address);
    if (filter_counts[slot] < COUNT_STAYS && filter_counts[slot]++ == 0) {
        __atomic_fetch_or(&samples_filter[slot / 64], 1ull << slot % 64, __ATOMIC_RELEASE);
    }
}

static void
filter_remove(uintptr_t address)
{
    uint32_t slot = samples_filter_slot(address);
    if (filter_counts[slot] < COUNT_STAYS && --filter_counts[slot] == 0) {
        __atomic_fetch_and(&samples_filter[slot / 64], ~(1ull << slot % 64), __ATOMIC_RELEASE);
    }
}

/* Return the place of an address, or the free place where it belongs. */
static uint64_t
place_of(uintptr_t address)
{
    uint64_t place = mapped_hash(address) & mask;
    while (table[place].address && table[place].address != address) {
        place = (place + 1) & mask;
    }
    return place;
}

static int
grow(void)
{
    uint64_t places = table ? (mask + 1) * 2 : FIRST_PLACES;
    Sample *old = table;
    uint64_t old_places = table ? mask + 1 : 0;
    Sample *larger = mapped_new(places * sizeof(Sample));
    if (!larger) {
        return -1;
    }
    table = larger;
    mask = places - 1;
    for (uint64_t i = 0; i < old_places; i++) {
        if (old[i].address) {
            table[place_of(old[i].address)] = old[i];
        }
    }
    mapped_free(old, old_places * sizeof(Sample));
    return 0;
}

int
samples_add(const Sample *sample, Sample *replaced)
{
    if ((!table || (count + 1) * 2 > mask) && grow() < 0) {
        return -1;
    }
    uint64_t place = place_of(sample->address);
    int is_known = table[place].address != 0;
    if (is_known) {
        *replaced = table[place];
    }
    else {
        count++;
        filter_add(sample->address);
    }
    table[place] = *sample;
    return is_known;
}

int
samples_remove(uintptr_t address, Sample *removed)
{
    if (!count) {
        return 0;
    }
    uint64_t place = place_of(address);
    if (!table[place].address) {
        return 0;
    }
    *removed = table[place];
    count--;
    filter_remove(address);
    /* Move later samples of the same run back, so that no search ends at the free place. */
    for (uint64_t later = (place + 1) & mask; table[later].address; later = (later + 1) & mask) {
        uint64_t wanted = mapped_hash(table[later].address) & mask;
        if (((later - wanted) & mask) >= ((later - place) & mask)) {
            table[place] = table[later];
            place = later;
        }
    }
    table[place].address = 0;
    return 1;
}

size_t
samples_count(void)
{
    return count;
}

size_t
samples_table_bytes(void)
{
    return table ? (mask + 1) * sizeof(Sample) : 0;
}

void
samples_clear(void)
{
    memset(samples_filter, 0, sizeof(samples_filter));
    memset(filter_counts, 0, sizeof(filter_counts));
    mapped_free(table, samples_table_bytes());
    table = NULL;
    mask = count = 0;
}
