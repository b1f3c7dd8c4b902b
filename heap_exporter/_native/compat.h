/* Everything that differs between versions of CPython: structures that its public headers do not document.
 *
 * All #ifs on Python's version are here. No function writes a reference count, allocates or locks, so that all can run
 * in a clone of the process. inspect.c checks these assumptions when the extension is loaded, because the interpreter
 * may be newer than the headers that the extension was built with.
 */
#ifndef HEAP_EXPORTER_COMPAT_H
#define HEAP_EXPORTER_COMPAT_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif

/* CPython's headers cause these warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <Python.h>
#include <structmember.h>
#include "internal/pycore_gc.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_object.h"
#include "internal/pycore_long.h"
#if PY_VERSION_HEX >= 0x030D0000
#include "internal/pycore_code.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_typeobject.h"
#endif
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_genobject.h"
#include "internal/pycore_interpframe.h"
#include "internal/pycore_interpframe_structs.h"
#include "internal/pycore_stackref.h"
#endif
#pragma GCC diagnostic pop

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030F0000
#error "heap-exporter's C code supports CPython 3.11 to 3.14"
#endif
#ifdef Py_GIL_DISABLED
#error "heap-exporter's C code needs the GIL"
#endif

/* ---- the collector -------------------------------------------------------------------------------------------- */

enum { GC_LISTS = 4, GC_PERMANENT = 3 };

/* Return the head of a generation's list; GC_PERMANENT holds the objects of gc.freeze(). */
static inline PyGC_Head *
compat_gc_list(PyInterpreterState *interp, int generation)
{
    if (generation == GC_PERMANENT) {
        return &interp->gc.permanent_generation.head;
    }
#if PY_VERSION_HEX >= 0x030E0000 && PY_VERSION_HEX < 0x030E0500
    /* These versions name the same fields differently. */
    return &(&interp->gc.young)[generation].head;
#else
    return &interp->gc.generations[generation].head;
#endif
}

/* Return the next link; the collector uses the low bits of the pointer. */
static inline PyGC_Head *
compat_gc_next(const PyGC_Head *link)
{
    return (PyGC_Head *)(link->_gc_next & ~(uintptr_t)3);
}

static inline PyObject *
compat_gc_object(PyGC_Head *link)
{
    return (PyObject *)(link + 1);
}

/* Return whether a gc object is in one of the collector's lists. */
static inline int
compat_gc_tracked(PyObject *object)
{
    return ((PyGC_Head *)object - 1)->_gc_next != 0;
}

/* Return whether a collection is in progress on a thread that released the GIL: some objects are in no list then. */
static inline int
compat_gc_collecting(PyInterpreterState *interp)
{
    return interp->gc.collecting;
}

/* An array of freed objects that the interpreter uses again; those from `count` on were used again, and are left over. */
typedef struct {
    const void *items;
    size_t count;
    size_t capacity;
} FreeList;

enum { FREE_LISTS = 3 };

/* Return a list of freed objects: lists, dicts or tables of keys; one without capacity if this version has no array. */
static inline FreeList
compat_free_list(PyInterpreterState *interp, int number)
{
#if PY_VERSION_HEX >= 0x030E0000
    (void)interp, (void)number;
    return (FreeList){NULL, 0, 0};
#else
#if PY_VERSION_HEX >= 0x030D0000
    struct _Py_object_freelists *all = &interp->object_state.freelists;
    FreeList lists[FREE_LISTS] = {
        {all->lists.items, (size_t)all->lists.numfree, Py_ARRAY_LENGTH(all->lists.items)},
        {all->dicts.items, (size_t)all->dicts.numfree, Py_ARRAY_LENGTH(all->dicts.items)},
        {all->dictkeys.items, (size_t)all->dictkeys.numfree, Py_ARRAY_LENGTH(all->dictkeys.items)},
    };
#else
    struct _Py_list_state *list = &interp->list;
    struct _Py_dict_state *dict = &interp->dict_state;
    FreeList lists[FREE_LISTS] = {
        {list->free_list, (size_t)list->numfree, Py_ARRAY_LENGTH(list->free_list)},
        {dict->free_list, (size_t)dict->numfree, Py_ARRAY_LENGTH(dict->free_list)},
        {dict->keys_free_list, (size_t)dict->keys_numfree, Py_ARRAY_LENGTH(dict->keys_free_list)},
    };
#endif
    return lists[number];
#endif
}

/* Return how many bytes of a freed tuple, list or dict in such a list contain the address of the next one. */
static inline size_t
compat_kept_free_bytes(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030E0000
    (void)object;
    return sizeof(void *);
#else
    return Py_TYPE(object) == &PyTuple_Type ? offsetof(PyTupleObject, ob_item) + sizeof(void *) : 0;
#endif
}

/* ---- objects -------------------------------------------------------------------------------------------------- */

/* Return the reference count, 0 for an immortal object. */
static inline uint64_t
compat_reference_count(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (_Py_IsImmortal(object)) {
        return 0;
    }
#endif
    return (uint64_t)Py_REFCNT(object);
}

/* Return the size of the header in front of an object that sys.getsizeof counts: the collector's links, and pointers
 * to attributes. `has_links` is whether this object has links: a static class has none. */
static inline size_t
compat_preheader_size(PyTypeObject *type, int has_links)
{
#if PY_VERSION_HEX >= 0x030D0000
    size_t links = has_links ? sizeof(PyGC_Head) : 0;
#else
    (void)has_links;
    size_t links = PyType_IS_GC(type) ? sizeof(PyGC_Head) : 0;
#endif
#if PY_VERSION_HEX >= 0x030C0000
    return links + (PyType_HasFeature(type, Py_TPFLAGS_PREHEADER) ? 2 * sizeof(PyObject *) : 0);
#else
    return links + (PyType_HasFeature(type, Py_TPFLAGS_MANAGED_DICT) ? 2 * sizeof(PyObject *) : 0);
#endif
}

/* The field of an int that its digits begin at. */
#if PY_VERSION_HEX >= 0x030C0000
#define COMPAT_INT_DIGITS long_value.ob_digit
#else
#define COMPAT_INT_DIGITS ob_digit
#endif

/* Return how many digits an int has in memory, as int.__sizeof__ counts them. */
static inline size_t
compat_int_digits(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030C0000
    Py_ssize_t digits = _PyLong_DigitCount((PyLongObject *)object);
#else
    Py_ssize_t digits = Py_ABS(Py_SIZE(object));
#endif
    return digits > 0 ? (size_t)digits : 1;
}

/* Return the number of items of a variable-sized object that object.__sizeof__ multiplies by the item size. */
static inline size_t
compat_var_items(PyObject *object)
{
    return (size_t)Py_ABS(((PyVarObject *)object)->ob_size);
}

/* Return the size of a str's cached UTF-8 and wide forms, as far as they have their own memory. */
static inline size_t
compat_str_caches_size(PyObject *str)
{
    PyCompactUnicodeObject *compact = (PyCompactUnicodeObject *)str;
    int is_plain = PyUnicode_IS_COMPACT_ASCII(str);
    const void *data = PyUnicode_DATA(str);
    size_t size = 0;
    if (!is_plain && compact->utf8 && (const void *)compact->utf8 != data) {
        size += (size_t)compact->utf8_length + 1;
    }
#if PY_VERSION_HEX < 0x030C0000
    const wchar_t *wide = ((PyASCIIObject *)str)->wstr;
    if (wide && (const void *)wide != data) {
        size_t length = is_plain ? (size_t)PyUnicode_GET_LENGTH(str) : (size_t)compact->wstr_length;
        size += (length + 1) * sizeof(wchar_t);
    }
#endif
    return size;
}

/* ---- attributes ----------------------------------------------------------------------------------------------- */

/* The values that are stored in an instance, and the shared keys that name them. */
typedef struct {
    Py_ssize_t count;
    PyObject **values;
    PyDictUnicodeEntry *entries;
} Attributes;

static inline Attributes
compat_named_values(PyDictKeysObject *keys, PyObject **values)
{
    Attributes attributes = {keys->dk_nentries, values, NULL};
    attributes.entries = (PyDictUnicodeEntry *)&keys->dk_indices[(size_t)1 << keys->dk_log2_index_bytes];
    return attributes;
}

/* Return the attributes that are stored in an instance without a dict; count is 0 if there are none. */
static inline Attributes
compat_inline_attributes(PyObject *object, PyTypeObject *type)
{
    const Attributes none = {0, NULL, NULL};
    PyDictKeysObject *keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
#if PY_VERSION_HEX >= 0x030D0000
    if (!PyType_HasFeature(type, Py_TPFLAGS_INLINE_VALUES) || !keys) {
        return none;
    }
    PyDictValues *values = _PyObject_InlineValues(object);
    return values->valid ? compat_named_values(keys, values->values) : none;
#else
    if (!PyType_HasFeature(type, Py_TPFLAGS_MANAGED_DICT) || !keys) {
        return none;
    }
#if PY_VERSION_HEX >= 0x030C0000
    PyDictOrValues both = *_PyObject_DictOrValuesPointer(object);
    PyDictValues *values = _PyDictOrValues_IsValues(both) ? _PyDictOrValues_GetValues(both) : NULL;
#else
    PyDictValues *values = *_PyObject_ValuesPointer(object);
#endif
    return values ? compat_named_values(keys, values->values) : none;
#endif
}

/* Return the dict that the interpreter manages for an instance, NULL while there is none. */
static inline PyObject *
compat_managed_dict(PyObject *object, PyTypeObject *type)
{
    if (!PyType_HasFeature(type, Py_TPFLAGS_MANAGED_DICT)) {
        return NULL;
    }
#if PY_VERSION_HEX >= 0x030D0000
    return (PyObject *)_PyObject_GetManagedDict(object);
#elif PY_VERSION_HEX >= 0x030C0000
    PyDictOrValues both = *_PyObject_DictOrValuesPointer(object);
    return _PyDictOrValues_IsValues(both) ? NULL : _PyDictOrValues_GetDict(both);
#else
    return *_PyObject_ManagedDictPointer(object);
#endif
}

/* Return the size of a table of keys. Formula: _PyDict_KeysSize in Objects/dictobject.c. */
static inline size_t
compat_keys_size(PyDictKeysObject *keys)
{
    size_t slots = (size_t)1 << keys->dk_log2_size;
    size_t entry = keys->dk_kind == DICT_KEYS_GENERAL ? sizeof(PyDictKeyEntry) : sizeof(PyDictUnicodeEntry);
    return sizeof(PyDictKeysObject) + ((size_t)1 << keys->dk_log2_index_bytes) + (slots << 1) / 3 * entry;
}

/* Return what dict.__sizeof__ adds to the object itself. Formula: _PyDict_SizeOf in Objects/dictobject.c. */
static inline size_t
compat_dict_tables_size(PyObject *dict)
{
    PyDictObject *object = (PyDictObject *)dict;
    size_t size = 0;
    if (object->ma_values) {
        size += (size_t)(object->ma_keys->dk_nentries + object->ma_keys->dk_usable) * sizeof(PyObject *);
    }
    /* Shared keys are counted with the type that shares them. */
    if (object->ma_keys->dk_refcnt == 1) {
        size += compat_keys_size(object->ma_keys);
    }
    return size;
}

/* Return the dict of an instance at its type's dict offset, for types whose dict the interpreter does not manage. */
static inline PyObject *
compat_dict_at_offset(PyObject *object, PyTypeObject *type)
{
    Py_ssize_t offset = type->tp_dictoffset;
    if (offset < 0) {
#if PY_VERSION_HEX >= 0x030C0000
        if (PyType_HasFeature(type, Py_TPFLAGS_LONG_SUBCLASS)) {
            return NULL; /* an int has no ob_size; such types have managed dicts */
        }
#endif
        /* From the end of the object; formula: _PyObject_VarSize. */
        size_t size = (size_t)type->tp_basicsize + compat_var_items(object) * (size_t)type->tp_itemsize;
        offset += (Py_ssize_t)((size + sizeof(void *) - 1) & ~(sizeof(void *) - 1));
    }
    return offset > 0 ? *(PyObject **)((char *)object + offset) : NULL;
}

/* Return whether a dict's tp_traverse visits the keys: it does not if all of them are str. */
static inline int
compat_dict_visits_keys(PyObject *dict)
{
    return ((PyDictObject *)dict)->ma_keys->dk_kind == DICT_KEYS_GENERAL;
}

/* Return whether a dict is split: its values are stored apart from keys that other instances' dicts share. */
static inline int
compat_dict_is_split(PyObject *dict)
{
    return ((PyDictObject *)dict)->ma_values != NULL;
}

/* Return the interpreter's table of interned strings if the collector tracks it, else NULL. Its references are not
 * part of reference counts. */
static inline PyObject *
compat_tracked_interned_strings(PyInterpreterState *interp)
{
#if PY_VERSION_HEX >= 0x030E0000
    return interp->cached_objects.interned_strings;
#else
    (void)interp;
    return NULL;
#endif
}

/* ---- frames --------------------------------------------------------------------------------------------------- */

typedef struct _PyInterpreterFrame Frame;

static inline Frame *
compat_top_frame(PyThreadState *thread)
{
#if PY_VERSION_HEX >= 0x030D0000
    return thread->current_frame;
#else
    return thread->cframe ? thread->cframe->current_frame : NULL;
#endif
}

/* Return the code of a frame, NULL for an internal frame of the interpreter or an incomplete one. */
static inline PyCodeObject *
compat_frame_code(Frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    if (frame->owner >= FRAME_OWNED_BY_INTERPRETER) {
        return NULL;
    }
    PyObject *code = PyStackRef_AsPyObjectBorrow(frame->f_executable);
#elif PY_VERSION_HEX >= 0x030D0000
    PyObject *code = frame->owner == FRAME_OWNED_BY_CSTACK ? NULL : frame->f_executable;
#elif PY_VERSION_HEX >= 0x030C0000
    PyObject *code = frame->owner == FRAME_OWNED_BY_CSTACK ? NULL : (PyObject *)frame->f_code;
#else
    PyObject *code = (PyObject *)frame->f_code;
#endif
    if (!code || !PyCode_Check(code) || _PyFrame_IsIncomplete(frame)) {
        return NULL;
    }
    return (PyCodeObject *)code;
}

/* Return the function of a frame, and whether the frame owns a reference to it. */
static inline PyObject *
compat_frame_function(Frame *frame, int *owned)
{
    *owned = 1;
#if PY_VERSION_HEX >= 0x030E0000
    *owned = PyStackRef_RefcountOnObject(frame->f_funcobj);
    return PyStackRef_AsPyObjectBorrow(frame->f_funcobj);
#elif PY_VERSION_HEX >= 0x030C0000
    return frame->f_funcobj;
#else
    return (PyObject *)frame->f_func;
#endif
}

/* Return a local, cell or free variable of a frame, NULL while it is unset, and whether the frame owns a reference. */
static inline PyObject *
compat_frame_variable(Frame *frame, int index, int *owned)
{
    *owned = 1;
#if PY_VERSION_HEX >= 0x030E0000
    _PyStackRef slot = frame->localsplus[index];
    if (PyStackRef_IsNull(slot) || PyStackRef_IsTaggedInt(slot)) {
        return NULL;
    }
    *owned = PyStackRef_RefcountOnObject(slot);
    return PyStackRef_AsPyObjectBorrow(slot);
#else
    return frame->localsplus[index];
#endif
}

/* Return the frame in a generator, coroutine or asynchronous generator, NULL once it is exhausted. */
static inline Frame *
compat_generator_frame(PyObject *object)
{
    PyGenObject *generator = (PyGenObject *)object;
    return generator->gi_frame_state >= FRAME_COMPLETED ? NULL : (Frame *)&generator->gi_iframe;
}

/* Return the frame of a frame object. */
static inline Frame *
compat_object_frame(PyObject *object)
{
    return ((PyFrameObject *)object)->f_frame;
}

/* Return the generator, coroutine or asynchronous generator that a frame is a part of. */
static inline PyObject *
compat_generator_of_frame(Frame *frame)
{
    return (PyObject *)((char *)frame - offsetof(PyGenObject, gi_iframe));
}

/* Return the number of slots for variables and temporaries in a frame of this code. */
static inline size_t
compat_frame_slots(PyCodeObject *code)
{
    return (size_t)(code->co_nlocalsplus + code->co_stacksize);
}

/* Return whether a generator owns a frame; then the generator holds the frame's references other than variables. */
static inline int
compat_frame_is_of_generator(Frame *frame)
{
    return frame->owner == FRAME_OWNED_BY_GENERATOR;
}

/* Return whether the frame's generator also holds its variables: it does not while the frame runs. */
static inline int
compat_frame_has_stored_stack(Frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return frame->stackpointer != NULL;
#else
    return frame->stacktop >= 0;
#endif
}

/* Return the code of a frame in any state; the frame of a frame object or generator always has one. */
static inline PyCodeObject *
compat_any_frame_code(Frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return (PyCodeObject *)PyStackRef_AsPyObjectBorrow(frame->f_executable);
#elif PY_VERSION_HEX >= 0x030D0000
    return (PyCodeObject *)frame->f_executable;
#else
    return frame->f_code;
#endif
}

/* Return the code of a generator, coroutine or asynchronous generator in any state. */
static inline PyCodeObject *
compat_generator_code(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030C0000
    return compat_any_frame_code((Frame *)&((PyGenObject *)object)->gi_iframe);
#else
    return ((PyGenObject *)object)->gi_code;
#endif
}

/* Return the size of a generator apart from the slots of its frame. Formula: gen_sizeof in Objects/genobject.c. */
static inline size_t
compat_generator_size(void)
{
    return offsetof(PyGenObject, gi_iframe) + offsetof(Frame, localsplus);
}

/* Return the offset of a frame's instruction in bytes, as PyCode_Addr2Line() takes it. */
static inline int
compat_frame_instruction(Frame *frame)
{
    return (int)_PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT);
}

/* Return the state of the calling thread while it has the GIL, else NULL. */
static inline PyThreadState *
compat_own_thread(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet();
#else
    /* That of the thread with the GIL, which may be another thread. */
    PyThreadState *current = _PyThreadState_UncheckedGet();
    return current && current == PyGILState_GetThisThreadState() ? current : NULL;
#endif
}

static inline PyThreadState *
compat_first_thread(PyInterpreterState *interp)
{
    return interp->threads.head;
}

/* Return the names of a code's local, cell and free variables: a tuple of str, as long as co_nlocalsplus. */
static inline PyObject *
compat_variable_names(PyCodeObject *code)
{
    return code->co_localsplusnames;
}

/* Return whether a variable of a code is one of an enclosing function. */
static inline int
compat_is_free_variable(PyCodeObject *code, int index)
{
    return PyBytes_AS_STRING(code->co_localspluskinds)[index] & CO_FAST_FREE;
}

#endif
