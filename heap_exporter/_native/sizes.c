/* Shallow sizes without calling any method: the formulas of CPython's __sizeof__ methods, from Objects/ and Modules/.
 *
 * Not exact, because their structures are private and their methods allocate: buffered files of `_io`, `struct.Struct`,
 * `itertools.product` and similar types, and types of other C extensions with their own __sizeof__ (except numpy's
 * arrays). They count with the result of object.__sizeof__, as do types whose __sizeof__ is written in Python.
 */
#include <string.h>

#include "text.h"
#include "types.h"

/* A block of a deque: 64 items between two links. Source: Modules/_collectionsmodule.c. */
enum { DEQUE_ITEMS = 64, DEQUE_BLOCK_BYTES = (DEQUE_ITEMS + 2) * sizeof(void *) };

/* The fields of private structures that sizes depend on, at their offsets. */
typedef struct {
    PyObject_VAR_HEAD
    void *left, *right;
    Py_ssize_t left_index;
} DequeHead;

typedef struct {
    PyObject_VAR_HEAD
    char *items;
    Py_ssize_t allocated;
    const struct { char code; int item_bytes; } *description;
} ArrayHead;

typedef struct {
    PyDictObject dict;
    void *first, *last;
    void **fast_nodes;
    Py_ssize_t fast_node_count;
} OrderedDictHead;

enum { ORDERED_DICT_NODE_BYTES = 4 * sizeof(void *) };

typedef struct {
    PyObject_HEAD
    PyObject *buffer;
} BytesIOHead;

/* Source: mpd_t in Modules/_decimal/libmpdec/mpdecimal.h. */
typedef struct {
    PyObject_HEAD
    Py_hash_t hash;
    uint8_t flags;
    Py_ssize_t exponent, digits, length, allocated;
} DecimalHead;

enum { DECIMAL_STATIC_DATA = 32 };

/* Source: PyArrayObject_fields in numpy/ndarraytypes.h. */
typedef struct {
    PyObject_HEAD
    char *data;
    int dimension_count;
    Py_ssize_t *dimensions, *strides;
    PyObject *base;
    const char *description;
    int flags;
} NdarrayHead;

enum { NDARRAY_OWNS_DATA = 4, NDARRAY_ITEM_BYTES_OF_1 = 36, NDARRAY_ITEM_BYTES_OF_2 = 40 };

static const struct { const char *name; Sizer sizer; } SIZERS_BY_NAME[] = {
    {"collections.deque", SIZER_DEQUE}, {"array.array", SIZER_ARRAY},   {"numpy.ndarray", SIZER_NDARRAY},
    {"_io.BytesIO", SIZER_BYTES_IO},    {"decimal.Decimal", SIZER_DECIMAL},
};

static Sizer
static_sizer(PyTypeObject *type)
{
    const struct { PyTypeObject *type; Sizer sizer; } known[] = {
        {&PyList_Type, SIZER_LIST},         {&PyDict_Type, SIZER_DICT},
        {&PySet_Type, SIZER_SET},           {&PyFrozenSet_Type, SIZER_SET},
        {&PyLong_Type, SIZER_INT},          {&PyUnicode_Type, SIZER_STR},
        {&PyByteArray_Type, SIZER_BYTEARRAY}, {&PyCode_Type, SIZER_CODE},
        {&PyType_Type, SIZER_TYPE},         {&PyFrame_Type, SIZER_FRAME},
        {&PyGen_Type, SIZER_GENERATOR},     {&PyCoro_Type, SIZER_GENERATOR},
        {&PyAsyncGen_Type, SIZER_GENERATOR}, {&PyODict_Type, SIZER_ORDERED_DICT},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(known); i++) {
        if (type == known[i].type) {
            return known[i].sizer;
        }
    }
    return SIZER_PLAIN;
}

static Sizer
sizer_by_name(PyTypeObject *type)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(SIZERS_BY_NAME); i++) {
        if (strcmp(type->tp_name, SIZERS_BY_NAME[i].name) == 0) {
            return SIZERS_BY_NAME[i].sizer;
        }
    }
    return SIZER_PLAIN;
}

Sizer
sizes_sizer(PyTypeObject *type)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        Sizer sizer = static_sizer(base);
        if (sizer != SIZER_PLAIN) {
            return sizer;
        }
        PyObject *method = base->tp_dict ? text_in_namespace(base->tp_dict, "__sizeof__") : NULL;
        if (method && base != &PyBaseObject_Type) {
            int is_exclusive = Py_IS_TYPE(method, &PyMethodDescr_Type) && ((PyDescrObject *)method)->d_type == base;
            return is_exclusive ? sizer_by_name(base) : SIZER_PLAIN;
        }
    }
    return SIZER_PLAIN;
}

static size_t
plain_size(PyTypeObject *type, PyObject *object)
{
    size_t items = type->tp_itemsize ? compat_var_items(object) * (size_t)type->tp_itemsize : 0;
    return (size_t)type->tp_basicsize + items;
}

static size_t
str_size(PyObject *str)
{
    size_t length = (size_t)PyUnicode_GET_LENGTH(str);
    size_t size;
    if (PyUnicode_IS_COMPACT_ASCII(str)) {
        size = sizeof(PyASCIIObject) + length + 1;
    }
    else {
        int is_compact = PyUnicode_IS_COMPACT(str);
        size = is_compact ? sizeof(PyCompactUnicodeObject) : sizeof(PyUnicodeObject);
        size += is_compact || ((PyUnicodeObject *)str)->data.any ? (length + 1) * (size_t)PyUnicode_KIND(str) : 0;
    }
    return size + compat_str_caches_size(str);
}

static size_t
set_size(PyTypeObject *type, PyObject *object)
{
    PySetObject *set = (PySetObject *)object;
    size_t table = set->table == set->smalltable ? 0 : ((size_t)set->mask + 1) * sizeof(setentry);
    return (size_t)type->tp_basicsize + table;
}

static size_t
code_size(PyTypeObject *type, PyObject *object)
{
    PyCodeObject *code = (PyCodeObject *)object;
    size_t size = (size_t)type->tp_basicsize + compat_var_items(object) * (size_t)type->tp_itemsize;
    size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    if (code->co_extra) {
        size += sizeof(Py_ssize_t) + *(size_t *)code->co_extra * sizeof(void *);
    }
    return size;
}

static size_t
type_size(PyObject *object)
{
    PyHeapTypeObject *type = (PyHeapTypeObject *)object;
    if (!PyType_HasFeature(&type->ht_type, Py_TPFLAGS_HEAPTYPE)) {
        return sizeof(PyTypeObject);
    }
    return sizeof(PyHeapTypeObject) + (type->ht_cached_keys ? compat_keys_size(type->ht_cached_keys) : 0);
}

static size_t
frame_size(PyObject *object)
{
    PyCodeObject *code = compat_any_frame_code(compat_object_frame(object));
    return offsetof(PyFrameObject, _f_frame_data) + offsetof(Frame, localsplus)
           + compat_frame_slots(code) * sizeof(PyObject *);
}

static size_t
deque_size(PyTypeObject *type, PyObject *object)
{
    size_t used = (size_t)((DequeHead *)object)->left_index + (size_t)Py_SIZE(object);
    return (size_t)type->tp_basicsize + (used + DEQUE_ITEMS - 1) / DEQUE_ITEMS * DEQUE_BLOCK_BYTES;
}

static size_t
ordered_dict_size(PyTypeObject *type, PyObject *object)
{
    OrderedDictHead *ordered = (OrderedDictHead *)object;
    size_t nodes = (size_t)ordered->dict.ma_used * ORDERED_DICT_NODE_BYTES;
    return (size_t)type->tp_basicsize + compat_dict_tables_size(object)
           + (size_t)ordered->fast_node_count * sizeof(void *) + nodes;
}

static size_t
bytes_io_size(PyTypeObject *type, PyObject *object)
{
    PyObject *buffer = ((BytesIOHead *)object)->buffer;
    int is_exclusive = buffer && compat_reference_count(buffer) == 1;
    return (size_t)type->tp_basicsize + (is_exclusive ? plain_size(&PyBytes_Type, buffer) : 0);
}

static size_t
decimal_size(PyTypeObject *type, PyObject *object)
{
    DecimalHead *decimal = (DecimalHead *)object;
    size_t digits = decimal->flags & DECIMAL_STATIC_DATA ? 0 : (size_t)decimal->allocated * sizeof(size_t);
    return (size_t)type->tp_basicsize + digits;
}

static size_t
ndarray_size(PyTypeObject *type, PyObject *object, int numpy_major)
{
    NdarrayHead *array = (NdarrayHead *)object;
    size_t dimensions = (size_t)array->dimension_count;
    size_t size = (size_t)type->tp_basicsize + 2 * dimensions * sizeof(Py_ssize_t);
    if (array->flags & NDARRAY_OWNS_DATA) {
        size_t bytes = numpy_major >= 2 ? *(const size_t *)(array->description + NDARRAY_ITEM_BYTES_OF_2)
                                        : (size_t) * (const int *)(array->description + NDARRAY_ITEM_BYTES_OF_1);
        for (size_t i = 0; i < dimensions; i++) {
            bytes *= (size_t)array->dimensions[i];
        }
        size += bytes;
    }
    return size;
}

size_t
sizes_of(const Types *types, const TypeInfo *info, PyObject *object)
{
    PyTypeObject *type = info->type;
    size_t basic = (size_t)type->tp_basicsize;
    size_t before = compat_preheader_size(type, object ? types_can_follow(info, object) : info->is_gc);
    switch (info->sizer) {
        case SIZER_LIST:
            return before + basic + (size_t)((PyListObject *)object)->allocated * sizeof(PyObject *);
        case SIZER_DICT:
            return before + basic + compat_dict_tables_size(object);
        case SIZER_SET:
            return before + set_size(type, object);
        case SIZER_INT:
            return before + offsetof(PyLongObject, COMPAT_INT_DIGITS) + compat_int_digits(object) * sizeof(digit);
        case SIZER_STR:
            return before + str_size(object);
        case SIZER_BYTEARRAY:
            return before + basic + (size_t)((PyByteArrayObject *)object)->ob_alloc;
        case SIZER_CODE:
            return before + code_size(type, object);
        case SIZER_TYPE:
            return before + type_size(object);
        case SIZER_FRAME:
            return before + frame_size(object);
        case SIZER_GENERATOR:
            return before + compat_generator_size()
                   + compat_frame_slots(compat_generator_code(object)) * sizeof(PyObject *);
        case SIZER_DEQUE:
            return before + deque_size(type, object);
        case SIZER_ORDERED_DICT:
            return before + ordered_dict_size(type, object);
        case SIZER_ARRAY:
            return before + basic
                   + (size_t)((ArrayHead *)object)->allocated * (size_t)((ArrayHead *)object)->description->item_bytes;
        case SIZER_NDARRAY:
            return before + ndarray_size(type, object, types->numpy_major);
        case SIZER_BYTES_IO:
            return before + bytes_io_size(type, object);
        case SIZER_DECIMAL:
            return before + decimal_size(type, object);
        case SIZER_PLAIN:
            break;
    }
    return before + plain_size(type, object);
}
