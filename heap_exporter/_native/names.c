#include "names.h"

#include <string.h>

/* A str is aligned to 8 bytes and a C string is not, so a C string's address is stored shifted, with bit 0 set. */
static Name
name_of_c_string(const char *string)
{
    return (Name)(uintptr_t)string << 1 | 1;
}

void
name_text(Text *text, Name name)
{
    text_clear(text);
    if (name & 1) {
        text_add(text, (const char *)(name >> 1));
    }
    else if (name && PyUnicode_Check(name_str(name)) && text_is_identifier(name_str(name))) {
        text_add_str(text, name_str(name), MAX_NAME_LENGTH);
    }
}

static void
add(Names *names, PyObject *value, Name name)
{
    if (value && names->candidate_count < MAX_NAMES) {
        names->candidates[names->candidate_count++] = (Candidate){value, name};
    }
}

static void
add_field(Names *names, void *value, const char *name)
{
    add(names, value, name_of_c_string(name));
}

static void
add_namespace(Names *names, PyObject *object, PyObject *dict, const char *name)
{
    /* The keys of a dict that is its own namespace are data. */
    if (dict && PyDict_Check(dict) && dict != object) {
        add_field(names, dict, name);
        if (names->namespace_count < MAX_NAMESPACES) {
            names->namespaces[names->namespace_count++] = dict;
        }
    }
}

static void
add_members(Names *names, const TypeInfo *info, PyObject *object)
{
    for (size_t i = 0; i < info->member_count; i++) {
        add_field(names, *(PyObject **)((char *)object + info->members[i].offset), info->members[i].name);
    }
}

static void
add_attributes(Names *names, const TypeInfo *info, PyObject *object)
{
    PyTypeObject *type = info->type;
    if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
        Attributes attributes = compat_inline_attributes(object, type);
        for (Py_ssize_t i = 0; i < attributes.count; i++) {
            add(names, attributes.values[i], name_of_str(attributes.entries[i].me_key));
        }
        add_field(names, type, "__class__");
    }
    int is_managed = PyType_HasFeature(type, Py_TPFLAGS_MANAGED_DICT) != 0;
    PyObject *dict = is_managed ? compat_managed_dict(object, type) : compat_dict_at_offset(object, type);
    add_namespace(names, object, dict, "__dict__");
}

static void
add_variables(Names *names, Frame *frame, PyCodeObject *code)
{
    PyObject *variable_names = compat_variable_names(code);
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        int owned;
        PyObject *value = compat_frame_variable(frame, i, &owned);
        add(names, value, name_of_str(PyTuple_GET_ITEM(variable_names, i)));
    }
}

static void
add_frame(Names *names, Frame *frame)
{
    if (frame) {
        add_field(names, compat_any_frame_code(frame), "f_code");
        add_variables(names, frame, compat_any_frame_code(frame));
    }
}

static void
add_function(Names *names, PyFunctionObject *function)
{
    PyObject *globals = function->func_globals;
    PyObject *module = text_in_namespace(globals, "__name__");
    add_field(names, function->func_code, "__code__");
    /* A dict given to eval() or exec() is a module's namespace only if it has a module's name. */
    if (module && PyUnicode_CheckExact(module)) {
        add_namespace(names, (PyObject *)function, globals, "__globals__");
    }
    else {
        add_field(names, globals, "__globals__");
    }
    add_field(names, function->func_defaults, "__defaults__");
    add_field(names, function->func_kwdefaults, "__kwdefaults__");
    add_field(names, function->func_closure, "__closure__");
    add_field(names, function->func_annotations, "__annotations__");
    add_namespace(names, (PyObject *)function, function->func_dict, "__dict__");
    names->code = function->func_closure ? (PyCodeObject *)function->func_code : NULL;
}

static void
add_exception(Names *names, PyBaseExceptionObject *exception)
{
    add_field(names, exception->args, "args");
    add_field(names, exception->notes, "__notes__");
    add_field(names, exception->traceback, "__traceback__");
    add_field(names, exception->context, "__context__");
    add_field(names, exception->cause, "__cause__");
}

static void
add_type(Names *names, PyTypeObject *type)
{
    add_namespace(names, (PyObject *)type, type->tp_dict, "__dict__");
    add_field(names, type->tp_mro, "__mro__");
    add_field(names, type->tp_bases, "__bases__");
    add_field(names, type->tp_base, "__base__");
}

/* Collect the named references of an object's structure: its attributes, slots, variables, namespaces. */
static void
collect(Names *names, const TypeInfo *info, PyObject *object)
{
    names->count = names->candidate_count = names->namespace_count = 0;
    names->code = NULL;
    if (info->namer == NAMER_NONE) {
        return;
    }
    if (info->is_weak) {
        add_field(names, ((PyWeakReference *)object)->wr_callback, "__callback__");
    }
    add_members(names, info, object);
    switch (info->namer) {
        case NAMER_MODULE:
            add_namespace(names, object, PyModule_GetDict(object), "__dict__");
            break;
        case NAMER_TYPE:
            add_type(names, (PyTypeObject *)object);
            break;
        case NAMER_FUNCTION:
            add_function(names, (PyFunctionObject *)object);
            return;
        case NAMER_CELL:
            add_field(names, ((PyCellObject *)object)->ob_ref, "cell_contents");
            return;
        case NAMER_EXCEPTION:
            add_exception(names, (PyBaseExceptionObject *)object);
            break;
        case NAMER_TRACEBACK:
            add_field(names, ((PyTracebackObject *)object)->tb_next, "tb_next");
            add_field(names, ((PyTracebackObject *)object)->tb_frame, "tb_frame");
            return;
        case NAMER_GENERATOR:
            names->code = compat_generator_code(object);
            add_frame(names, compat_generator_frame(object));
            return;
        case NAMER_FRAME:
            add_field(names, ((PyFrameObject *)object)->f_back, "f_back");
            add_frame(names, compat_object_frame(object));
            return;
        case NAMER_METHOD_IN_C:
            add_field(names, ((PyCFunctionObject *)object)->m_self, "__self__");
            break;
        case NAMER_INSTANCE:
        case NAMER_NONE:
            break;
    }
    add_attributes(names, info, object);
}

/* Return and remove the name of a referent. The search starts after the previous match, because both orders mostly
 * agree. */
static Name
take(Names *names, PyObject *referent, size_t *cursor)
{
    for (size_t tried = 0; tried < names->candidate_count; tried++) {
        size_t i = *cursor + tried;
        i = i < names->candidate_count ? i : i - names->candidate_count;
        if (names->candidates[i].value == referent) {
            names->candidates[i].value = NULL;
            *cursor = i + 1 < names->candidate_count ? i + 1 : 0;
            return names->candidates[i].name;
        }
    }
    return 0;
}

/* Assign the collected names to the referents. */
static void
match(Names *names, PyObject **referents, size_t count)
{
    size_t cursor = 0;
    if (names->candidate_count == 0) {
        return;
    }
    for (size_t i = 0; i < count && i < MAX_NAMES; i++) {
        names->names[i] = referents[i] ? take(names, referents[i], &cursor) : 0;
        if (names->names[i]) {
            names->count = i + 1;
        }
    }
}

/* Set the number of names to `count`, so that the edges after them are the items of a container. */
static void
pad(Names *names, size_t count)
{
    for (; names->count < count && names->count < MAX_NAMES; names->count++) {
        names->names[names->count] = 0;
    }
}

/* Insert the edge to a weak reference's referent in front. */
static void
insert_weak(Names *names)
{
    if (names->count == MAX_NAMES) {
        names->count--;
    }
    memmove(names->names + 1, names->names, names->count * sizeof(Name));
    names->names[0] = 0;
    names->count++;
}

void
names_of(Names *names, const TypeInfo *info, PyObject *object, PyObject **referents, size_t count, size_t prefix)
{
    collect(names, info, object);
    match(names, referents, info->kind == KIND_PLAIN ? count : prefix);
    if (info->is_subclassed_container) {
        pad(names, prefix);
    }
    if (info->is_weak) {
        insert_weak(names);
    }
}
