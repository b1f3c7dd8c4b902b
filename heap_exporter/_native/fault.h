/* How a walk ends early: by longjmp, because no function between needs to clean up. */
#ifndef HEAP_EXPORTER_FAULT_H
#define HEAP_EXPORTER_FAULT_H

#include <setjmp.h>

typedef enum {
    FAULT_NONE = 0,
    FAULT_NO_MEMORY = 1, /* mmap refused */
    FAULT_WRITE = 2,     /* the file could not be written */
    FAULT_DAMAGED = 3,   /* an object is at an impossible address */
    FAULT_SIGNAL = 4,    /* the clone's code caused a signal */
    FAULT_TIMEOUT = 5,      /* the walk took longer than its limit */
} FaultCode;

typedef struct {
    jmp_buf escape;
    FaultCode code;
    int os_error; /* errno, or the number of the signal */
} Fault;

/* Record the fault and longjmp to the start of the walk. */
_Noreturn static inline void
fault_raise(Fault *fault, FaultCode code, int os_error)
{
    fault->code = code;
    fault->os_error = os_error;
    longjmp(fault->escape, 1);
}

#endif
