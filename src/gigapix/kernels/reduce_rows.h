/* The rows of `combine`, from values S to values D; the file that includes this has defined `first_value` and `both`. */

/* A row of `n` values to windows of `f`; `fresh` where it is the first row of its window. */
REDUCE_TEMPLATE void NAME(row)(const S *restrict s, ptrdiff_t stride, ptrdiff_t n, D *restrict d, ptrdiff_t step,
                               ptrdiff_t f, int fresh, int op, int marked, S marker, D empty) {
    ptrdiff_t i = 0;
    if (f == 2)
        for (; i < n / 2; i++) { /* whole windows, so that this is a plain loop */
            D v = NAME(first)(s[2 * i * stride], marked, marker, empty);
            v = NAME(both)(v, NAME(first)(s[(2 * i + 1) * stride], marked, marker, empty), op, marked, marker);
            d[i * step] = fresh ? v : NAME(both)(d[i * step], v, op, marked, marker);
        }
    for (; i * f < n; i++) {
        const ptrdiff_t stop = n - i * f < f ? n : (i + 1) * f;
        D v = NAME(first)(s[i * f * stride], marked, marker, empty);
        for (ptrdiff_t j = i * f + 1; j < stop; j++)
            v = NAME(both)(v, NAME(first)(s[j * stride], marked, marker, empty), op, marked, marker);
        d[i * step] = fresh ? v : NAME(both)(d[i * step], v, op, marked, marker);
    }
}

/* Rows whose values lie side by side, and windows of one or two, have loops of their own: those become vectors. */
REDUCE_TEMPLATE void NAME(near)(const S *restrict s, ptrdiff_t stride, ptrdiff_t n, D *restrict d, ptrdiff_t step,
                                ptrdiff_t f, int fresh, int op, int marked, S marker, D empty) {
    if (stride == 1 && step == 1 && f == 2) {
        if (fresh) NAME(row)(s, 1, n, d, 1, 2, 1, op, marked, marker, empty);
        else NAME(row)(s, 1, n, d, 1, 2, 0, op, marked, marker, empty);
    } else if (stride == 1 && step == 1 && f == 1) {
        if (fresh) NAME(row)(s, 1, n, d, 1, 1, 1, op, marked, marker, empty);
        else NAME(row)(s, 1, n, d, 1, 1, 0, op, marked, marker, empty);
    } else NAME(row)(s, stride, n, d, step, f, fresh, op, marked, marker, empty);
}

REDUCE_CLONES static void NAME(any)(const S *restrict s, ptrdiff_t stride, ptrdiff_t n, D *restrict d, ptrdiff_t step,
                                    ptrdiff_t f, int fresh, int op, int marked, S marker, D empty) {
    if (op == OP_A && marked) NAME(near)(s, stride, n, d, step, f, fresh, OP_A, 1, marker, empty);
    else if (op == OP_A) NAME(near)(s, stride, n, d, step, f, fresh, OP_A, 0, marker, empty);
    else if (marked) NAME(near)(s, stride, n, d, step, f, fresh, OP_B, 1, marker, empty);
    else NAME(near)(s, stride, n, d, step, f, fresh, OP_B, 0, marker, empty);
}

static void NAME(combine)(const reduce_job *job) {
    const int last = job->axes - 1, marked = job->marker != NULL;
    const S marker = marked ? *(const S *)job->marker : 0;
    const D empty = job->empty ? *(const D *)job->empty : 0;
    ptrdiff_t index[REDUCE_AXES] = {0};
    do {
        const char *source = job->source;
        char *out = job->out;
        int fresh = 1;
        for (int a = 0; a < last; a++) {
            source += index[a] * job->strides[a];
            out += index[a] / job->factors[a] * job->steps[a];
            fresh &= index[a] % job->factors[a] == 0;
        }
        NAME(any)((const S *)source, job->strides[last] / (ptrdiff_t)sizeof(S), job->shape[last], (D *)out,
                  job->steps[last] / (ptrdiff_t)sizeof(D), job->factors[last], fresh, job->operation, marked, marker,
                  empty);
    } while (reduce_next(index, job->shape, last));
}
