#include "mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "clone.h"

/* Above the kernel's default limit of mappings, so that their list need not grow while the kernel lists them. */
enum { MAX_MAPPINGS = 1 << 17, LINE_BYTES = 512, BUFFER_BYTES = 16 << 10 };

static void
add(Mappings *mappings, uintptr_t begin, uintptr_t end, MappingKind kind)
{
    if (mappings->items.count == mappings->items.capacity) {
        fault_raise(mappings->fault, FAULT_NO_MEMORY, ENOMEM);
    }
    ((Mapping *)mappings->items.items)[mappings->items.count++] = (Mapping){begin, end, kind};
}

/* Add the pages of a mapping that can be read. */
static void
add_readable(Mappings *mappings, uintptr_t begin, uintptr_t end, MappingKind kind)
{
    uintptr_t from = begin;
    for (uintptr_t page = begin; page < end; page += PAGE_BYTES) {
        if (clone_can_read(page)) {
            continue;
        }
        if (page > from) {
            add(mappings, from, page, kind);
        }
        from = page + PAGE_BYTES;
    }
    if (end > from) {
        add(mappings, from, end, kind);
    }
}

static uintptr_t
read_hexadecimal(const char **text)
{
    uintptr_t number = 0;
    for (;; (*text)++) {
        char c = **text;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) {
            return number;
        }
        number = number << 4 | (uintptr_t)digit;
    }
}

static int
begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Add the mapping of a line such as "7f3c1a000000-7f3c1a021000 rw-p 00000000 00:00 0    [heap]". Source: proc(5). */
static void
add_line(Mappings *mappings, const char *line)
{
    const char *text = line;
    uintptr_t begin = read_hexadecimal(&text);
    text += *text == '-';
    uintptr_t end = read_hexadecimal(&text);
    text += *text == ' ';
    if (text[0] != 'r' || strlen(text) < 5) {
        return;
    }
    int is_root = text[1] == 'w' && text[3] == 'p';
    const char *name = strpbrk(text, "/[");
    if (name && (begins_with(name, "[v") || begins_with(name, "/dev/"))) {
        return; /* of the kernel, or of a device, whose memory may react to being read */
    }
    if (!is_root) {
        if (text[1] != 'w') {
            add(mappings, begin, end, MAPPING_READ_ONLY);
        }
        return;
    }
    /* A kernel may name anonymous mappings: "[anon:glibc: malloc arena]". */
    MappingKind kind = !name || begins_with(name, "[anon") ? MAPPING_ANONYMOUS
                       : begins_with(name, "[heap")        ? MAPPING_BRK
                       : begins_with(name, "[stack")       ? MAPPING_STACK
                                                           : MAPPING_FILE;
    add_readable(mappings, begin, end, kind);
}

/* Read the lines of a file and add each; the rest of a line that is too long, a path, is left out. */
static int
add_lines(Mappings *mappings, int file)
{
    char buffer[BUFFER_BYTES], line[LINE_BYTES];
    size_t length = 0;
    ssize_t got;
    while ((got = read(file, buffer, sizeof(buffer))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (buffer[i] == '\n') {
                line[length] = '\0';
                add_line(mappings, line);
                length = 0;
            }
            else if (length < LINE_BYTES - 1) {
                line[length++] = buffer[i];
            }
        }
    }
    return (int)got;
}

void
mappings_read(Mappings *mappings, Fault *fault)
{
    mappings->fault = fault;
    mappings->items.item_bytes = sizeof(Mapping);
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0 || stack_reserve(&mappings->items, MAX_MAPPINGS) < 0) {
        fault_raise(fault, FAULT_NO_MEMORY, errno);
    }
    if (add_lines(mappings, file) < 0 || mappings->items.count == 0) {
        fault_raise(fault, FAULT_DAMAGED, errno);
    }
    close(file);
    uintptr_t own = (uintptr_t)mappings->items.items;
    mappings_remove(mappings, own, own + mappings->items.capacity * sizeof(Mapping));
}

void
mappings_remove(Mappings *mappings, uintptr_t begin, uintptr_t end)
{
    Mapping *all = (Mapping *)mappings->items.items;
    for (size_t i = 0; i < mappings->items.count; i++) {
        Mapping *mapping = &all[i];
        if (mapping->end <= begin || mapping->begin >= end) {
            continue;
        }
        Mapping rest = {end, mapping->end, mapping->kind};
        mapping->end = mapping->begin < begin ? begin : mapping->begin;
        if (rest.begin < rest.end) {
            add(mappings, 0, 0, MAPPING_ANONYMOUS);
            memmove(&all[i + 2], &all[i + 1], (mappings->items.count - i - 2) * sizeof(Mapping));
            all[i + 1] = rest;
            i++;
        }
    }
}

const Mapping *
mappings_at(const Mappings *mappings, uintptr_t address)
{
    size_t low = 0, high = mappings->items.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (mappings_get(mappings, middle)->end <= address) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == mappings->items.count || mappings_get(mappings, low)->begin > address) {
        return NULL;
    }
    return mappings_get(mappings, low);
}

int
mappings_have(const Mappings *mappings, uintptr_t begin, size_t bytes)
{
    const Mapping *mapping = mappings_at(mappings, begin);
    return mapping && bytes <= mapping->end - begin;
}
