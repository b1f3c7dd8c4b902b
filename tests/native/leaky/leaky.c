/* An extension that loses memory on purpose, in the ways in which C code does. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdlib.h>

enum { BYTES = 40, LARGE_BYTES = 4000, BLOCK_BYTES = 100, CHUNK_BYTES = 3000 };

/* So that the compiler keeps each allocation. */
static char *volatile last;

static PyObject *
lose_bytes(PyObject *Py_UNUSED(module), PyObject *count)
{
    for (long left = PyLong_AsLong(count); left > 0; left--) {
        last = (char *)PyBytes_FromStringAndSize(NULL, BYTES);
    }
    last = NULL;
    Py_RETURN_NONE;
}

static PyObject *
lose_large_bytes(PyObject *Py_UNUSED(module), PyObject *count)
{
    for (long left = PyLong_AsLong(count); left > 0; left--) {
        last = (char *)PyBytes_FromStringAndSize(NULL, LARGE_BYTES);
    }
    last = NULL;
    Py_RETURN_NONE;
}

static PyObject *
lose_lists(PyObject *Py_UNUSED(module), PyObject *count)
{
    for (long left = PyLong_AsLong(count); left > 0; left--) {
        PyObject *list = PyList_New(0);
        PyObject *item = PyLong_FromLong(100000 + left);
        PyList_Append(list, item);
        Py_DECREF(item);
    }
    Py_RETURN_NONE;
}

static PyObject *
refer_once_too_often(PyObject *Py_UNUSED(module), PyObject *object)
{
    Py_INCREF(object);
    Py_RETURN_NONE;
}

static PyObject *
lose_blocks(PyObject *Py_UNUSED(module), PyObject *count)
{
    for (long left = PyLong_AsLong(count); left > 0; left--) {
        last = PyMem_Malloc(BLOCK_BYTES);
        last[0] = 1;
    }
    last = NULL;
    Py_RETURN_NONE;
}

static void *
lose_chunks_here(void *count)
{
    for (long left = (long)count; left > 0; left--) {
        last = malloc(CHUNK_BYTES);
        last[0] = 1;
    }
    last = NULL;
    return NULL;
}

static PyObject *
lose_chunks(PyObject *Py_UNUSED(module), PyObject *count)
{
    lose_chunks_here((void *)PyLong_AsLong(count));
    Py_RETURN_NONE;
}

static PyObject *
lose_chunks_in_thread(PyObject *Py_UNUSED(module), PyObject *count)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, lose_chunks_here, (void *)PyLong_AsLong(count)) != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    pthread_join(thread, NULL);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"lose_bytes", lose_bytes, METH_O, NULL},
    {"lose_large_bytes", lose_large_bytes, METH_O, NULL},
    {"lose_lists", lose_lists, METH_O, NULL},
    {"refer_once_too_often", refer_once_too_often, METH_O, NULL},
    {"lose_blocks", lose_blocks, METH_O, NULL},
    {"lose_chunks", lose_chunks, METH_O, NULL},
    {"lose_chunks_in_thread", lose_chunks_in_thread, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "leaky", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit_leaky(void)
{
    return PyModule_Create(&definition);
}
