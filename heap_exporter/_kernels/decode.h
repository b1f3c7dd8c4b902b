#ifndef HEAP_EXPORTER_KERNELS_DECODE_H
#define HEAP_EXPORTER_KERNELS_DECODE_H

#include "graph.h"

/* Reads the records of a file, fed with its blocks, twice: first to see what there is, then to keep it. */
typedef struct {
    Graph *graph;
    int keeps; /* the second time */
    int ended;
    uint64_t place; /* of the last node */
    uint32_t thread, frame;
    VECTOR(uint8_t) pending; /* the begin of a record whose rest is in the blocks to come */
    size_t enough;           /* how many bytes to gather before trying again */
    const char *problem;
} Decoder;

/* Decode what these bytes and those before complete. ALTERED leaves the reason in `problem`. With bytes that may be the
   last, nothing waits for more. */
Status decoder_feed(Decoder *decoder, const uint8_t *bytes, size_t length, int may_be_last);
/* Begin again from the first block, to keep what is there. */
Status decoder_rewind(Decoder *decoder);
void decoder_free(Decoder *decoder);

#endif
