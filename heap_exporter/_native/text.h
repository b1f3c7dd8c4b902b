/* The texts that a walk reads: names of types, and identifiers. They are UTF-8; Python's API is not called. */
#ifndef HEAP_EXPORTER_TEXT_H
#define HEAP_EXPORTER_TEXT_H

#include "compat.h"

enum { TEXT_BYTES = 4096, MAX_NAME_LENGTH = 120 };

/* A text that is being built; characters that do not fit are left out. */
typedef struct {
    size_t length;
    char bytes[TEXT_BYTES];
} Text;

void text_clear(Text *text);

/* Add a C string in UTF-8; an invalid byte becomes its escape. */
void text_add(Text *text, const char *string);

/* Add a str, at most `max_characters` characters; a lone surrogate becomes its escape. */
void text_add_str(Text *text, PyObject *str, size_t max_characters);

/* Return whether an object is a str (no subclass) with this ASCII value. */
int text_is(PyObject *object, const char *ascii);

/* Return whether a str could be the name of an attribute: letters, digits, underscores, anything not ASCII. */
int text_is_identifier(PyObject *str);

/* Return whether a str could be the name of a module: identifiers with dots between them. */
int text_is_dotted_name(PyObject *str);

/* Return the value of a name in a heap type's namespace, borrowed, or NULL. */
PyObject *text_in_namespace(PyObject *dict, const char *ascii);

/* Return the __module__ of a heap type if it is a str, borrowed, or NULL. */
PyObject *text_module_of(PyTypeObject *type);

/* Set a text to the qualified name of a type, without the module for builtins. */
void text_type_name(Text *text, PyTypeObject *type);

#endif
