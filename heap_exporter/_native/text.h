/* The few texts that a walk may read: names of types, and identifiers. Always as UTF-8, never through Python's API. */
#ifndef HEAP_EXPORTER_TEXT_H
#define HEAP_EXPORTER_TEXT_H

#include "compat.h"

enum { TEXT_BYTES = 4096, LONGEST_NAME = 120 };

/* A text under construction; what does not fit is left out. */
typedef struct {
    size_t length;
    char bytes[TEXT_BYTES];
} Text;

void text_clear(Text *text);

/* Add a C string, which should be UTF-8; a byte that is none becomes its escape. */
void text_add(Text *text, const char *string);

/* Add a str, at most `most` characters; half a character (a surrogate) becomes its escape. */
void text_add_str(Text *text, PyObject *str, size_t most);

/* Return whether an object is exactly a str that has this ASCII value. */
int text_is(PyObject *object, const char *ascii);

/* Return whether a str could be the name of an attribute: letters, digits, underscores, anything not ASCII. */
int text_is_identifier(PyObject *str);

/* Return whether a str could be the name of a module: identifiers with dots between them. */
int text_is_dotted_name(PyObject *str);

/* Return what a heap type's namespace holds under a name, borrowed, or NULL. */
PyObject *text_in_namespace(PyObject *dict, const char *ascii);

/* Return the module that a heap type says it was defined in: exactly a str, borrowed, or NULL. */
PyObject *text_module_of(PyTypeObject *type);

/* Write the qualified name of a type as the rest of the product spells it: without the module for builtins. */
void text_type_name(Text *text, PyTypeObject *type);

#endif
