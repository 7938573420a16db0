/* How every suite of unit tests ends. */
#ifndef FIL4PROD_SUPPORT_RUN_H
#define FIL4PROD_SUPPORT_RUN_H

#include <check.h>
#include <stdlib.h>

/** Runs the suite and frees it. main's status: EXIT_FAILURE when a test failed. */
static inline int support_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
