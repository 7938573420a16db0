/* Sites below a signal handler, on the stack that it interrupted and on one of its own. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static volatile int sink;
static void *volatile kept;

static void on_signal(int number)
{
    if (number == SIGUSR1)                    // NOLINTNEXTLINE(bugprone-signal-handler): what is tested
        memset(kept = malloc(1000001), 1, 1); /* site 1000001: on_signal < raiser < main */
    else
        memset(kept = malloc(1000002), 1, 1); /* site 1000002: on_signal < raiser < main */
    sink++;
}

__attribute__((noinline)) static void raiser(int number)
{
    raise(number);
    sink++;
}

int main(void)
{
    static char stack[1 << 16];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    signal(SIGUSR1, on_signal);
    sigaltstack(&alternate, NULL);
    sigaction(SIGUSR2, &action, NULL);
    raiser(SIGUSR1);
    raiser(SIGUSR2);
    return 0;
}
