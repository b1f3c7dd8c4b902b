#include "graph.h"

#include <errno.h>
#include <unistd.h>

#include "shapes.h"

enum { EDGE_ABSENT = 0 };

void
graph_begin(Walk *walk)
{
    walk->shapes = arena_alloc(&walk->arena, sizeof(ShapeTable));
    walk->names = arena_alloc(&walk->arena, sizeof(Names));
    shapes_init(walk->shapes, &walk->arena);
    address_set_init(&walk->named, &walk->arena);
    writer_init(&walk->out, &walk->arena, walk->job->file, walk->job->crc);
}

static int64_t
distance(const void *from, const void *to)
{
    return (int64_t)(place_of(to) - place_of(from));
}

/* Write a NAME record: the identifier that is the value of a str. */
static void
write_name(Walk *walk, PyObject *str)
{
    text_clear(&walk->text);
    text_add_str(&walk->text, str, TEXT_BYTES);
    writer_varint(&walk->out, RECORD_NAME);
    writer_varint(&walk->out, zigzag((int64_t)(place_of(str) - walk->last_place)));
    writer_text(&walk->out, walk->text.bytes, walk->text.length);
}

/* Return whether a key may be written: the name of an attribute, or with `any` every key that is not too long. */
static int
may_be_named(PyObject *key, int any)
{
    if (!PyUnicode_CheckExact(key)) {
        return 0;
    }
    Py_ssize_t length = PyUnicode_GET_LENGTH(key);
    return any ? length > 0 && length <= MAX_NAME_LENGTH : text_is_identifier(key);
}

/* Write the keys of a dict that may be written, each once. */
static void
name_keys(Walk *walk, PyObject *dict, int any)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    if (!any && address_set_add(&walk->named, dict)) {
        return; /* several nodes may share a namespace */
    }
    while (PyDict_Next(dict, &position, &key, &value)) {
        if (may_be_named(key, any) && !address_set_add(&walk->named, key)) {
            write_name(walk, key);
        }
    }
}

static void
write_node_head(Walk *walk, const Shape *shape, PyObject *object)
{
    Writer *out = &walk->out;
    uint64_t place = place_of(object);
    writer_varint(out, RECORD_NODE + shape->index);
    writer_varint(out, zigzag((int64_t)(place - walk->last_place)));
    if (!(shape->flags & SHAPE_FIXED_SIZE)) {
        writer_varint(out, sizes_of(&walk->types, shape->info, object));
    }
    writer_varint(out, compat_reference_count(object));
    walk->last_place = place;
}

static void
write_edge(Writer *out, PyObject *from, PyObject *to)
{
    writer_varint(out, to ? 1 + zigzag(distance(from, to)) : EDGE_ABSENT);
}

void
graph_leaf(Walk *walk, TypeInfo *info, PyObject *object)
{
    walk->names->count = 0;
    walk->names->code = NULL;
    unsigned flags = SHAPE_LEAF | (info->fixed_size ? SHAPE_FIXED_SIZE : 0);
    write_node_head(walk, shapes_get(walk, info, walk->names, flags), object);
}

void
graph_node(Walk *walk, TypeInfo *info, PyObject *object, const Referents *referents)
{
    Names *names = walk->names;
    PyObject **items = referents_items(walk, referents);
    unsigned flags = (info->fixed_size ? SHAPE_FIXED_SIZE : 0) | (info->is_weak ? SHAPE_WEAK : 0)
                     | (referents->has_tail ? 0 : SHAPE_NO_TAIL);
    names_of(names, info, object, items, referents->count, referents->prefix);
    for (size_t i = 0; i < names->namespace_count; i++) {
        name_keys(walk, names->namespaces[i], 0);
    }
    if (walk->job->with_keys && info->kind == KIND_MAPPING && referents->count > 0) {
        name_keys(walk, object, 1);
    }
    write_node_head(walk, shapes_get(walk, info, names, flags), object);
    writer_varint(&walk->out, referents->count + (info->is_weak ? 1 : 0));
    if (info->is_weak) {
        write_edge(&walk->out, object, names_weak_referent(object));
    }
    for (size_t i = 0; i < referents->count; i++) {
        write_edge(&walk->out, object, items[i]);
    }
}

void
graph_thread(Walk *walk, PyThreadState *thread)
{
    writer_varint(&walk->out, RECORD_THREAD);
    writer_varint(&walk->out, (uint64_t)thread->thread_id);
    writer_varint(&walk->out, (uint64_t)thread->native_thread_id);
}

void
graph_frame(Walk *walk, uint64_t depth, PyObject *function, PyCodeObject *code)
{
    Text *text = &walk->text;
    text_clear(text);
    PyObject *module = function && PyFunction_Check(function) ? ((PyFunctionObject *)function)->func_module : NULL;
    if (module && PyUnicode_CheckExact(module) && text_is_dotted_name(module)) {
        text_add_str(text, module, MAX_NAME_LENGTH);
        text_add(text, ".");
    }
    text_add_str(text, code->co_qualname, MAX_NAME_LENGTH);
    writer_varint(&walk->out, RECORD_FRAME);
    writer_varint(&walk->out, depth);
    writer_text(&walk->out, text->bytes, text->length);
}

void
graph_root(Walk *walk, Role role, int owned, PyObject *object)
{
    writer_varint(&walk->out, RECORD_ROOT);
    writer_varint(&walk->out, role);
    writer_varint(&walk->out, owned ? 1 : 0);
    writer_text(&walk->out, walk->text.bytes, walk->text.length);
    writer_varint(&walk->out, zigzag((int64_t)(place_of(object) - walk->last_place)));
}

void
graph_end(Walk *walk)
{
    writer_varint(&walk->out, RECORD_END);
    writer_flush(&walk->out);
    if (fsync(walk->out.file) < 0 && errno != EINVAL && errno != EROFS) {
        fault_raise(&walk->fault, FAULT_WRITE, errno);
    }
}
