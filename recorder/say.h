/* Lines on standard error that the job must not suffer from: never into what took the descriptor's place, never with a
 * signal, never waiting. */
#ifndef FIL4PROD_SAY_H
#define FIL4PROD_SAY_H

struct iovec;

/** Remembers what standard error is; before that, and when it is closed now, nothing is said. */
void f4p_say_start(void);

/** Writes the parts in one call, if that can be done at once. errno is not kept. */
void f4p_say_write(const struct iovec *parts, int count);

#endif
