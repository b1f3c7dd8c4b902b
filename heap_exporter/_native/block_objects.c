#include "block_objects.h"

#include "mark.h"

enum {
    MAX_TYPE_CHAIN = 4, /* metaclasses of metaclasses */
    MAX_TYPE_BYTES = 1 << 20,
    MAX_TYPE_NAME = 250,
    OFFSETS = 3,
};

/* Where an object begins in its block: after nothing, the links of the collector, or pointers to attributes and links. */
static const size_t OFFSET[OFFSETS] = {0, 16, 32};

static int
has_type_name(const BlockObjects *objects, PyTypeObject *type)
{
    const char *name = type->tp_name;
    for (int i = 0; i < MAX_TYPE_NAME; i++) {
        if (!mappings_have(objects->mappings, (uintptr_t)name + (uintptr_t)i, 1)) {
            return 0;
        }
        if (!name[i]) {
            return i > 0;
        }
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) {
            return 0;
        }
    }
    return 0;
}

static int
is_type(BlockObjects *objects, uintptr_t address)
{
    PyTypeObject **known = &objects->known_types[(address >> 4) % KNOWN_TYPES];
    if ((uintptr_t)*known == address) {
        return address != 0;
    }
    uintptr_t metaclass = address;
    for (int depth = 0; metaclass != (uintptr_t)&PyType_Type; depth++) {
        if (depth == MAX_TYPE_CHAIN || metaclass % sizeof(void *)
            || !mappings_have(objects->mappings, metaclass, sizeof(PyTypeObject))) {
            return 0;
        }
        metaclass = (uintptr_t)Py_TYPE(metaclass);
    }
    PyTypeObject *type = (PyTypeObject *)address;
    if (Py_REFCNT(type) <= 0 || type->tp_basicsize < (Py_ssize_t)sizeof(PyObject)
        || type->tp_basicsize > MAX_TYPE_BYTES || !PyType_HasFeature(type, Py_TPFLAGS_READY)
        || !has_type_name(objects, type)) {
        return 0;
    }
    *known = type;
    return 1;
}

/* Return whether an address in a block looks like an object there. */
static int
is_object(BlockObjects *objects, uintptr_t address, size_t bytes, int follows_links)
{
    PyObject *object = (PyObject *)address;
    if (bytes < sizeof(PyObject) || !mark_is_reference_count(object) || !is_type(objects, (uintptr_t)Py_TYPE(object)) || (size_t)Py_TYPE(object)->tp_basicsize > bytes) {
        return 0;
    }
    PyTypeObject *type = Py_TYPE(object);
    if (type == &PyUnicode_Type || type == &PyBytes_Type || type == &PyLong_Type || type == &PyFloat_Type) {
        size_t references;
        return mark_is_plain(object, bytes, &references);
    }
    return follows_links || !PyType_IS_GC(type);
}

PyObject *
block_object(BlockObjects *objects, Block block)
{
    uintptr_t begin = block_begin(block);
    size_t bytes = block_bytes(block);
    PyObject *tracked = mark_tracked_object(block);
    for (size_t i = 0; i < OFFSETS && OFFSET[i] < bytes; i++) {
        uintptr_t address = begin + OFFSET[i];
        if ((!tracked || (uintptr_t)tracked == address) && is_object(objects, address, bytes - OFFSET[i], i > 0)) {
            return (PyObject *)address;
        }
    }
    return NULL;
}
