#include "shapes.h"

#include <string.h>

/* The maximum number of shapes of a type that differ by their code, and of all its shapes. */
enum { FIRST_CAPACITY = 4096, MAX_CODES = 4096, MAX_SHAPES_OF_A_TYPE = 2 * MAX_CODES };

void
shapes_init(ShapeTable *shapes, Arena *arena)
{
    shapes->arena = arena;
    shapes->capacity = FIRST_CAPACITY;
    shapes->slots = arena_alloc(arena, FIRST_CAPACITY * sizeof(Shape *));
    shapes->count = 0;
}

static uint64_t
hash_of(const TypeInfo *info, const Names *names, unsigned flags)
{
    const uint64_t prime = 0x9e3779b97f4a7c15u;
    uint64_t hash = ((uint64_t)(uintptr_t)info ^ flags) * prime;
    hash = (hash ^ (uint64_t)(uintptr_t)names->code) * prime;
    for (size_t i = 0; i < names->count; i++) {
        hash = ((hash ^ hash >> 29) ^ names->names[i]) * prime;
    }
    return hash ^ hash >> 32;
}

static int
fits(const Shape *shape, const TypeInfo *info, const Names *names, unsigned flags)
{
    return shape->info == info && shape->flags == flags && shape->code == names->code
           && shape->count == names->count && memcmp(shape->names, names->names, names->count * sizeof(Name)) == 0;
}

static void
grow(ShapeTable *shapes)
{
    size_t capacity = shapes->capacity * 2;
    Shape **slots = arena_alloc(shapes->arena, capacity * sizeof(Shape *));
    for (size_t i = 0; i < shapes->capacity; i++) {
        if (shapes->slots[i]) {
            size_t slot = shapes->slots[i]->hash & (capacity - 1);
            while (slots[slot]) {
                slot = (slot + 1) & (capacity - 1);
            }
            slots[slot] = shapes->slots[i];
        }
    }
    shapes->slots = slots;
    shapes->capacity = capacity;
}

static void
write_type(Walk *walk, TypeInfo *info)
{
    info->file_index = (int64_t)walk->type_count++;
    text_type_name(&walk->text, info->type);
    writer_varint(&walk->out, RECORD_TYPE);
    writer_text(&walk->out, walk->text.bytes, walk->text.length);
    writer_varint(&walk->out, place_of(info->type));
    writer_varint(&walk->out, info->kind);
}

static size_t
free_variable_count(PyCodeObject *code)
{
    size_t count = 0;
    for (int i = 0; code && i < code->co_nlocalsplus; i++) {
        count += compat_is_free_variable(code, i) != 0;
    }
    return count;
}

/* Write the names of the cells of a function's closure. */
static void
write_cell_names(Walk *walk, PyCodeObject *code)
{
    Writer *out = &walk->out;
    writer_varint(out, free_variable_count(code));
    for (int i = 0; code && i < code->co_nlocalsplus; i++) {
        if (compat_is_free_variable(code, i)) {
            name_text(&walk->text, name_of_str(PyTuple_GET_ITEM(compat_variable_names(code), i)));
            writer_text(out, walk->text.bytes, walk->text.length);
        }
    }
}

/* Write the name of the function of a generator or coroutine. */
static void
write_function_name(Walk *walk, PyCodeObject *code)
{
    Text *text = &walk->text;
    text_clear(text);
    text_add_str(text, code->co_qualname, MAX_NAME_LENGTH);
    writer_varint(&walk->out, 1);
    writer_text(&walk->out, text->bytes, text->length);
}

static void
write_shape(Walk *walk, const Shape *shape)
{
    Writer *out = &walk->out;
    writer_varint(out, RECORD_SHAPE);
    writer_varint(out, (uint64_t)shape->info->file_index);
    writer_varint(out, shape->flags);
    if (shape->flags & SHAPE_FIXED_SIZE) {
        writer_varint(out, shape->info->fixed_size);
    }
    writer_varint(out, shape->count);
    for (size_t i = 0; i < shape->count; i++) {
        name_text(&walk->text, shape->names[i]);
        writer_text(out, walk->text.bytes, walk->text.length);
    }
    if (shape->code && shape->info->namer == NAMER_GENERATOR) {
        write_function_name(walk, shape->code);
    }
    else {
        write_cell_names(walk, shape->code);
    }
}

static Shape *
add(Walk *walk, TypeInfo *info, const Names *names, unsigned flags, uint64_t hash)
{
    ShapeTable *shapes = walk->shapes;
    Shape *shape = arena_alloc(shapes->arena, sizeof(Shape));
    *shape = (Shape){info, hash, shapes->count++, flags, names->code, names->count, NULL};
    shape->names = arena_alloc(shapes->arena, names->count * sizeof(Name));
    memcpy(shape->names, names->names, names->count * sizeof(Name));
    info->shape_count++;
    if (info->file_index < 0) {
        write_type(walk, info);
    }
    write_shape(walk, shape);
    return shape;
}

/* Remove names from the shape of an object if its type has too many shapes; return whether some were removed. */
static int
simplify(const TypeInfo *info, Names *names)
{
    if (names->code && info->shape_count >= MAX_CODES) {
        names->code = NULL;
        return 1;
    }
    if (names->count > 0 && info->shape_count >= MAX_SHAPES_OF_A_TYPE) {
        names->count = 0;
        return 1;
    }
    return 0;
}

Shape *
shapes_get(Walk *walk, TypeInfo *info, Names *names, unsigned flags)
{
    ShapeTable *shapes = walk->shapes;
    if (info->last_shape && fits(info->last_shape, info, names, flags)) {
        return info->last_shape;
    }
    if (shapes->count * 2 >= shapes->capacity) {
        grow(shapes);
    }
    uint64_t hash = hash_of(info, names, flags);
    size_t slot = hash & (shapes->capacity - 1);
    while (shapes->slots[slot] && !fits(shapes->slots[slot], info, names, flags)) {
        slot = (slot + 1) & (shapes->capacity - 1);
    }
    if (!shapes->slots[slot]) {
        if (simplify(info, names)) {
            return shapes_get(walk, info, names, flags);
        }
        shapes->slots[slot] = add(walk, info, names, flags, hash);
    }
    info->last_shape = shapes->slots[slot];
    return info->last_shape;
}
