/* What becomes of values S without a change of type: the lowest, the highest, one by rank, the most frequent. reduce.h
includes this once for each type. */

#define D S
#define OP_A REDUCE_MIN
#define OP_B REDUCE_MAX

REDUCE_TEMPLATE int NAME(some)(S v, int marked, S marker) { return v == v && !(marked && v == marker); }

REDUCE_TEMPLATE S NAME(first)(S v, int marked, S marker, S empty) { return NAME(some)(v, marked, marker) ? v : empty; }

/* `empty` is NaN or the marker, so what is nothing stays recognisable. */
REDUCE_TEMPLATE S NAME(both)(S a, S b, int op, int marked, S marker) {
    const int better = op == REDUCE_MIN ? b < a : b > a;
    return NAME(some)(b, marked, marker) && (better || !NAME(some)(a, marked, marker)) ? b : a;
}

#include "reduce_rows.h"

static void NAME(sort)(S *v, ptrdiff_t n) {
    static const ptrdiff_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1}; /* Ciura's, for Shell's sort */
    for (int g = 0; g < 9; g++)
        for (ptrdiff_t gap = gaps[g], i = gap; i < n; i++) {
            const S value = v[i];
            ptrdiff_t j = i;
            for (; j >= gap && v[j - gap] > value; j -= gap) v[j] = v[j - gap];
            v[j] = value;
        }
}

/* Of equally frequent values the lowest. */
static S NAME(mode)(const S *v, ptrdiff_t n) {
    S best = v[0];
    for (ptrdiff_t i = 0, most = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && v[i + run] == v[i]; run++) {}
        if (run > most) most = run, best = v[i];
    }
    return best;
}

static void NAME(sorted)(const reduce_job *job) {
    const int last = job->axes - 1, marked = job->marker != NULL;
    const S marker = marked ? *(const S *)job->marker : 0, empty = *(const S *)job->empty;
    S *values = job->scratch;
    ptrdiff_t grid[REDUCE_AXES], place[REDUCE_AXES] = {0};
    for (int a = 0; a <= last; a++) grid[a] = (job->shape[a] - 1) / job->factors[a] + 1;
    do {
        const char *corner = job->source;
        char *out = job->out;
        ptrdiff_t size[REDUCE_AXES], index[REDUCE_AXES] = {0}, n = 0;
        for (int a = 0; a <= last; a++) {
            const ptrdiff_t left = job->shape[a] - place[a] * job->factors[a];
            size[a] = left < job->factors[a] ? left : job->factors[a];
            corner += place[a] * job->factors[a] * job->strides[a];
            out += place[a] * job->steps[a];
        }
        do {
            const char *row = corner;
            for (int a = 0; a < last; a++) row += index[a] * job->strides[a];
            for (ptrdiff_t x = 0; x < size[last]; x++) {
                const S v = *(const S *)(row + x * job->strides[last]);
                if (NAME(some)(v, marked, marker)) values[n++] = v;
            }
        } while (reduce_next(index, size, last));
        NAME(sort)(values, n);
        *(S *)out = n == 0 ? empty
                    : job->operation == REDUCE_MODE ? NAME(mode)(values, n)
                                                    : values[(ptrdiff_t)floor(job->rank * (double)(n - 1))];
    } while (reduce_next(place, grid, job->axes));
}

static void NAME(run)(const reduce_job *job) {
    if (job->operation == REDUCE_RANK || job->operation == REDUCE_MODE) NAME(sorted)(job);
    else NAME(combine)(job);
}

#undef OP_A
#undef OP_B
#undef D
#undef S
#undef SUFFIX
