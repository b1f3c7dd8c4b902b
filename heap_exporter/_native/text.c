#include "text.h"

#include <string.h>

static const char ELLIPSIS[] = "\xe2\x80\xa6";

void
text_clear(Text *text)
{
    text->length = 0;
}

static void
add_bytes(Text *text, const char *bytes, size_t length)
{
    if (length <= TEXT_BYTES - text->length) {
        memcpy(text->bytes + text->length, bytes, length);
        text->length += length;
    }
}

/* Add the escape of a code point or byte that Python's backslashreplace writes. */
static void
add_escape(Text *text, const char *prefix, Py_UCS4 value, int digits)
{
    add_bytes(text, prefix, strlen(prefix));
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
        add_bytes(text, &"0123456789abcdef"[value >> shift & 15], 1);
    }
}

static void
add_code_point(Text *text, Py_UCS4 point)
{
    char bytes[8];
    size_t length;
    if (point < 0x80) {
        bytes[0] = (char)point;
        length = 1;
    }
    else if (point < 0x800) {
        bytes[0] = (char)(0xc0 | point >> 6);
        bytes[1] = (char)(0x80 | (point & 0x3f));
        length = 2;
    }
    else if (point >= 0xd800 && point < 0xe000) {
        add_escape(text, "\\u", point, 4);
        return;
    }
    else if (point < 0x10000) {
        bytes[0] = (char)(0xe0 | point >> 12);
        bytes[1] = (char)(0x80 | (point >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (point & 0x3f));
        length = 3;
    }
    else {
        bytes[0] = (char)(0xf0 | point >> 18);
        bytes[1] = (char)(0x80 | (point >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (point >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (point & 0x3f));
        length = 4;
    }
    add_bytes(text, bytes, length);
}

/* Return the length of the UTF-8 sequence at the start of a string, 0 if it is invalid. */
static size_t
sequence_length(const unsigned char *string)
{
    unsigned char first = string[0];
    size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;
    unsigned char lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (length == 4 && (first < 0xf0 || first > 0xf4)) {
        return 0;
    }
    if (length > 1 && (string[1] < lowest || string[1] > highest)) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((string[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

void
text_add(Text *text, const char *string)
{
    while (*string) {
        size_t length = sequence_length((const unsigned char *)string);
        if (length > 0) {
            add_bytes(text, string, length);
            string += length;
        }
        else {
            add_escape(text, "\\x", (unsigned char)*string++, 2);
        }
    }
}

void
text_add_str(Text *text, PyObject *str, size_t max_characters)
{
    size_t length = (size_t)PyUnicode_GET_LENGTH(str);
    int kind = (int)PyUnicode_KIND(str);
    const void *data = PyUnicode_DATA(str);
    for (size_t i = 0; i < length && i < max_characters; i++) {
        add_code_point(text, PyUnicode_READ(kind, data, i));
    }
}

int
text_is(PyObject *object, const char *ascii)
{
    return PyUnicode_CheckExact(object) && PyUnicode_IS_COMPACT_ASCII(object)
           && strlen(ascii) == (size_t)PyUnicode_GET_LENGTH(object)
           && memcmp(PyUnicode_DATA(object), ascii, (size_t)PyUnicode_GET_LENGTH(object)) == 0;
}

/* Return whether a str consists of identifiers joined by `separator`, or of one identifier if that is 0. */
static int
is_name(PyObject *str, Py_UCS4 separator)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(str);
    int kind = (int)PyUnicode_KIND(str);
    const void *data = PyUnicode_DATA(str);
    int is_first = 1;
    if (length > MAX_NAME_LENGTH) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 point = PyUnicode_READ(kind, data, i);
        int is_letter = (point | 32) >= 'a' && (point | 32) <= 'z';
        int is_digit = point >= '0' && point <= '9';
        int ends = point == separator && !is_first;
        if (!(is_letter || point == '_' || point >= 0x80 || (is_digit && !is_first) || ends)) {
            return 0;
        }
        is_first = ends;
    }
    return !is_first;
}

int
text_is_identifier(PyObject *str)
{
    return is_name(str, 0);
}

int
text_is_dotted_name(PyObject *str)
{
    return is_name(str, '.');
}

PyObject *
text_in_namespace(PyObject *dict, const char *ascii)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (dict && PyDict_Next(dict, &position, &key, &value)) {
        if (text_is(key, ascii)) {
            return value;
        }
    }
    return NULL;
}

PyObject *
text_module_of(PyTypeObject *type)
{
    if (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
        return NULL;
    }
    PyObject *module = text_in_namespace(type->tp_dict, "__module__");
    return module && PyUnicode_CheckExact(module) ? module : NULL;
}

/* Truncate a name to the maximum length. */
static void
cut(Text *text)
{
    size_t characters = 0;
    size_t at = 0, end = 0;
    for (; at < text->length; at++) {
        if ((text->bytes[at] & 0xc0) != 0x80 && ++characters == MAX_NAME_LENGTH) {
            end = at;
        }
    }
    if (characters > MAX_NAME_LENGTH) {
        text->length = end;
        text_add(text, ELLIPSIS);
    }
}

void
text_type_name(Text *text, PyTypeObject *type)
{
    text_clear(text);
    if (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
        static const char builtins[] = "builtins.";
        int is_builtin = strncmp(type->tp_name, builtins, sizeof(builtins) - 1) == 0;
        text_add(text, is_builtin ? type->tp_name + sizeof(builtins) - 1 : type->tp_name);
    }
    else {
        PyObject *module = text_module_of(type);
        PyObject *name = ((PyHeapTypeObject *)type)->ht_qualname;
        if (module && PyUnicode_GET_LENGTH(module) > 0 && !text_is(module, "builtins")) {
            text_add_str(text, module, MAX_NAME_LENGTH + 1);
            text_add(text, ".");
        }
        if (name && PyUnicode_Check(name)) {
            text_add_str(text, name, MAX_NAME_LENGTH + 1);
        }
    }
    cut(text);
}
