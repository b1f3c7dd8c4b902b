#ifndef HEAP_EXPORTER_KERNELS_DECODE_H
#define HEAP_EXPORTER_KERNELS_DECODE_H

#include "graph.h"

/* Decodes the records of a file from its blocks in two passes: the first counts, the second stores. */
typedef struct {
    Graph *graph;
    int keeps; /* the second pass */
    int ended;
    uint64_t place; /* the place of the last node */
    uint32_t thread, frame;
    VECTOR(uint8_t) pending; /* the beginning of a record whose rest is in later blocks */
    size_t enough;           /* the number of bytes to collect before the next try */
    const char *problem;
} Decoder;

/* Decode the records that are complete with these bytes. With ALTERED, `problem` is the reason. If the bytes may be the
   last ones, an incomplete record is decoded at once too. */
Status decoder_feed(Decoder *decoder, const uint8_t *bytes, size_t length, int may_be_last);
/* Start the second pass, from the first block. */
Status decoder_rewind(Decoder *decoder);
void decoder_free(Decoder *decoder);

#endif
