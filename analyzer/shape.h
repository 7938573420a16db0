/* The shape of the heap over time, and who grew last. */
#ifndef FIL4PROD_SHAPE_H
#define FIL4PROD_SHAPE_H

#include "model.h"

/* X(NAME, name): how the heap came to where it ended. */
#define F4P_SHAPES(X)                                                                            \
    X(NONE, "none")    /* too little is known */                                                 \
    X(FLAT, "plateau") /* the end is within a tenth of where it has been for long */             \
    X(RAMP, "ramp")    /* a climb up to the end */                                               \
    X(STEP, "step")    /* most of the climb within a fifth of it or of a twentieth of the run */ \
    X(SPIKE, "spike")  /* a short peak, over before the end */                                   \
    X(FALL, "fall")    /* had been much higher for longer */

enum f4p_shape_kind {
#define X(name, text) F4P_SHAPE_##name,
    F4P_SHAPES(X)
#undef X
};

struct f4p_shape {
    enum f4p_shape_kind kind;
    uint64_t from_ns, to_ns; /* the climb, the plateau or the time near the peak */
    double change;           /* bytes over that time */
    double level;            /* of a plateau, or the peak's height */
};

/** Looks at a timeline of ascending points. */
struct f4p_shape f4p_shape_find(const struct f4p_point *points, size_t count, uint64_t end_ns);

const char *f4p_shape_name(enum f4p_shape_kind kind);

#endif
