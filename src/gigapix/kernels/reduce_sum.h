/* Sums of values S in a type D that is wide enough; reduce.h includes this once for each pair. */

#define OP_A REDUCE_SUM
#define OP_B REDUCE_SUM

REDUCE_TEMPLATE D NAME(first)(S v, int marked, S marker, D empty) {
    return v == v && !(marked && v == marker) ? (D)v : empty; /* which is 0 */
}

REDUCE_TEMPLATE D NAME(both)(D a, D b, int op, int marked, S marker) {
    (void)op, (void)marked, (void)marker;
    return (D)(a + b);
}

#include "reduce_rows.h"

static void NAME(run)(const reduce_job *job) { NAME(combine)(job); }

#undef OP_A
#undef OP_B
#undef S
#undef D
#undef SUFFIX
