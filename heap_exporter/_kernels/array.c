#define PY_SSIZE_T_CLEAN
#include "array.h"

#include <stdlib.h>

typedef struct {
    PyObject_HEAD
    PyObject *owner; /* the owner of the items, or NULL: the array itself */
    void *items;
    Py_ssize_t count;
    Py_ssize_t item_size;
    char format[2];
} Array;

static PyTypeObject *array_type;

static int
array_getbuffer(PyObject *object, Py_buffer *buffer, int flags)
{
    Array *self = (Array *)object;
    if (flags & PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "the graph is read-only");
        return -1;
    }
    *buffer = (Py_buffer){
        .buf = self->items,
        .obj = Py_NewRef(object),
        .len = self->count * self->item_size,
        .itemsize = self->item_size,
        .readonly = 1,
        .ndim = 1,
        .format = flags & PyBUF_FORMAT ? self->format : NULL,
        .shape = flags & PyBUF_ND ? &self->count : NULL,
        .strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &self->item_size : NULL,
    };
    return 0;
}

static void
array_dealloc(PyObject *object)
{
    Array *self = (Array *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->owner) {
        Py_DECREF(self->owner);
    }
    else {
        free(self->items);
    }
    type->tp_free(object);
    Py_DECREF(type);
}

PyObject *
array_view(PyObject *owner, void *items, size_t count, const char *format)
{
    Array *array = (Array *)array_type->tp_alloc(array_type, 0);
    if (!array) {
        if (!owner) {
            free(items);
        }
        return NULL;
    }
    array->owner = Py_XNewRef(owner);
    array->items = items;
    array->count = (Py_ssize_t)count;
    array->item_size = format[0] == 'Q' ? 8 : 4;
    array->format[0] = format[0];
    PyObject *view = PyMemoryView_FromObject((PyObject *)array);
    Py_DECREF(array);
    return view;
}

PyObject *
array_take(void *items, size_t count, const char *format)
{
    return items ? array_view(NULL, items, count, format) : PyErr_NoMemory();
}

static PyType_Slot array_slots[] = {
    {Py_tp_dealloc, array_dealloc},
    {Py_bf_getbuffer, array_getbuffer},
    {0, NULL},
};

static PyType_Spec array_spec = {
    "heap_exporter._kernels.Array", sizeof(Array), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, array_slots,
};

int
array_ready(PyObject *module)
{
    if (!array_type) {
        array_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &array_spec, NULL);
    }
    return array_type != NULL;
}
