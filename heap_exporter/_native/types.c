#include "types.h"

#include <string.h>

#include "own_objects.h"
#include "text.h"

enum { FIRST_CAPACITY = 4096, MAX_MEMBERS = 128 };

void
types_init(Types *types, Arena *arena, int numpy_major)
{
    memset(types, 0, sizeof(*types));
    types->arena = arena;
    types->numpy_major = numpy_major;
    types->capacity = FIRST_CAPACITY;
    types->slots = arena_alloc(arena, FIRST_CAPACITY * sizeof(TypeInfo *));
    types->last = &types->first;
}

static void
insert(TypeInfo **slots, size_t capacity, TypeInfo *info)
{
    size_t mask = capacity - 1;
    size_t i = ((uintptr_t)info->type >> 4 ^ (uintptr_t)info->type >> 12) & mask;
    while (slots[i]) {
        i = (i + 1) & mask;
    }
    slots[i] = info;
}

static void
grow(Types *types)
{
    size_t capacity = types->capacity * 2;
    TypeInfo **slots = arena_alloc(types->arena, capacity * sizeof(TypeInfo *));
    for (TypeInfo *info = types->first; info; info = info->next) {
        insert(slots, capacity, info);
    }
    types->slots = slots;
    types->capacity = capacity;
}

static int
inherits(PyTypeObject *type, PyTypeObject *base)
{
    for (; type; type = type->tp_base) {
        if (type == base) {
            return 1;
        }
    }
    return 0;
}

static EdgeSource
edge_source(PyTypeObject *type)
{
    if (type == &PyList_Type) {
        return EDGES_LIST;
    }
    if (type == &PyTuple_Type) {
        return EDGES_TUPLE;
    }
    if (type == &PyDict_Type) {
        return EDGES_DICT;
    }
    if (type == &PySet_Type || type == &PyFrozenSet_Type) {
        return EDGES_SET;
    }
    return EDGES_TRAVERSED;
}

static Kind
kind(PyTypeObject *type)
{
    if (PyType_HasFeature(type, Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_TUPLE_SUBCLASS)) {
        return KIND_SEQUENCE;
    }
    if (PyType_HasFeature(type, Py_TPFLAGS_DICT_SUBCLASS)) {
        return KIND_MAPPING;
    }
    return inherits(type, &PySet_Type) || inherits(type, &PyFrozenSet_Type) ? KIND_SET : KIND_PLAIN;
}

static Namer
namer(PyTypeObject *type)
{
    if (PyType_HasFeature(type, Py_TPFLAGS_TYPE_SUBCLASS)) {
        return NAMER_TYPE;
    }
    if (PyType_HasFeature(type, Py_TPFLAGS_BASE_EXC_SUBCLASS)) {
        return NAMER_EXCEPTION;
    }
    const struct { PyTypeObject *type; Namer namer; } known[] = {
        {&PyModule_Type, NAMER_MODULE},       {&PyCell_Type, NAMER_CELL},
        {&PyTraceBack_Type, NAMER_TRACEBACK}, {&PyGen_Type, NAMER_GENERATOR},
        {&PyCoro_Type, NAMER_GENERATOR},      {&PyAsyncGen_Type, NAMER_GENERATOR},
        {&PyFrame_Type, NAMER_FRAME},         {&PyCFunction_Type, NAMER_METHOD_IN_C},
        {&PyFunction_Type, NAMER_FUNCTION},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(known); i++) {
        if (inherits(type, known[i].type)) {
            return known[i].namer;
        }
    }
    return edge_source(type) == EDGES_TRAVERSED ? NAMER_INSTANCE : NAMER_NONE;
}

static Owner
owner(PyTypeObject *type)
{
    PyTypeObject *containers[] = {
        &PyDict_Type, &PyList_Type, &PyTuple_Type, &PySet_Type, &PyFrozenSet_Type, &PyProperty_Type,
        &PyStaticMethod_Type, &PyClassMethod_Type, &PyCell_Type, &PyCode_Type, &PyDictProxy_Type,
        &Py_GenericAliasType, &PyGetSetDescr_Type, &PyMemberDescr_Type,
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(containers); i++) {
        if (type == containers[i]) {
            return OWNER_REFERRER;
        }
    }
    const char *others[] = {"collections.deque", "types.UnionType", "typing.Union"};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(others); i++) {
        if (strcmp(type->tp_name, others[i]) == 0) {
            return OWNER_REFERRER;
        }
    }
    if (PyType_HasFeature(type, Py_TPFLAGS_TYPE_SUBCLASS)) {
        return OWNER_CLASS;
    }
    if (type == &PyFunction_Type || type == &PyModule_Type) {
        return type == &PyFunction_Type ? OWNER_FUNCTION : OWNER_MODULE;
    }
    return is_own_package_name(text_module_of(type)) ? OWNER_HEAP_EXPORTER : OWNER_OTHER;
}

/* Add the members of a type that are references; those of the most derived class come first, as in tp_traverse. */
static void
find_members(Types *types, TypeInfo *info)
{
    Member found[MAX_MEMBERS];
    size_t count = 0;
    for (PyTypeObject *type = info->type; type; type = type->tp_base) {
        for (PyMemberDef *member = type->tp_members; member && member->name && count < MAX_MEMBERS; member++) {
            if (member->type == T_OBJECT || member->type == T_OBJECT_EX) {
                found[count++] = (Member){member->name, member->offset};
            }
        }
    }
    info->member_count = count;
    info->members = arena_alloc(types->arena, count * sizeof(Member));
    memcpy(info->members, found, count * sizeof(Member));
}

TypeInfo *
types_add(Types *types, PyTypeObject *type)
{
    if (types->count * 2 >= types->capacity) {
        grow(types);
    }
    TypeInfo *info = arena_alloc(types->arena, sizeof(TypeInfo));
    info->type = type;
    info->edges = edge_source(type);
    info->kind = kind(type);
    info->namer = namer(type);
    info->sizer = sizes_sizer(type);
    info->owner = owner(type);
    info->is_gc = PyType_IS_GC(type) != 0;
    info->is_leaf = !info->is_gc || !type->tp_traverse;
    info->is_weak = inherits(type, &_PyWeakref_RefType) || type == &_PyWeakref_ProxyType
                    || type == &_PyWeakref_CallableProxyType;
    info->is_subclassed_container = info->edges == EDGES_TRAVERSED && info->kind != KIND_PLAIN;
    info->file_index = -1;
    if (info->sizer == SIZER_PLAIN && type->tp_itemsize == 0) {
        info->fixed_size = sizes_of(types, info, NULL);
    }
    find_members(types, info);
    insert(types->slots, types->capacity, info);
    types->count++;
    *types->last = info;
    types->last = &info->next;
    return info;
}
