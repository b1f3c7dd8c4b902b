/* The hooks of PyMem_SetAllocator().
 *
 * Light hooks have none on free() of small blocks, the most frequent call. pymalloc passes what is larger than 512
 * bytes on to the RAW domain, and frees it there. So a small block that becomes a sample is requested with 513 bytes:
 * then the hook on RAW's free() sees its end. Where the allocator below does not do so (PYTHONMALLOC=debug or malloc),
 * the hooks are full: they are on each free().
 */
#ifndef HEAP_EXPORTER_HOOKS_H
#define HEAP_EXPORTER_HOOKS_H

typedef enum { HOOKS_OFF, HOOKS_LIGHT, HOOKS_FULL, HOOKS_DISPLACED } HooksState;

/* Install the hooks. Return NULL, or why that is not possible. Needs the GIL of the main interpreter. */
const char *hooks_install(void);

/* Remove the hooks, unless another tool has put its hooks over them; these then pass everything through. */
void hooks_remove(void);

/* Return the state of the hooks: displaced if another tool has replaced them, so that they see nothing. */
HooksState hooks_state(void);

#endif
