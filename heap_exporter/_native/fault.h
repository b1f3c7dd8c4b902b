/* How a walk ends early: it leaps out, since what it was doing may be deep down and has nothing to tidy up. */
#ifndef HEAP_EXPORTER_FAULT_H
#define HEAP_EXPORTER_FAULT_H

#include <setjmp.h>

typedef enum {
    FAULT_NONE = 0,
    FAULT_NO_MEMORY = 1, /* mmap refused */
    FAULT_WRITE = 2,     /* the file could not be written */
    FAULT_DAMAGED = 3,   /* the heap is not what it should be */
    FAULT_SIGNAL = 4,    /* the clone was hit by a signal of its own making */
    FAULT_LATE = 5,      /* the walk was to be shorter */
} FaultCode;

typedef struct {
    jmp_buf escape;
    FaultCode code;
    int os_error; /* errno, or the number of the signal */
} Fault;

/* Leap to where the walk began. */
_Noreturn static inline void
fault_raise(Fault *fault, FaultCode code, int os_error)
{
    fault->code = code;
    fault->os_error = os_error;
    longjmp(fault->escape, 1);
}

#endif
