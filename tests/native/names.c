/* names NAME: what the analyzer makes of a name, and what it says that it does with those of C++. */
#include <stdio.h>
#include <stdlib.h>

#include "analyzer/symbols_private.h"

int main(int argc, char **argv)
{
    bool readable;
    char *name = argc > 1 ? f4p_symbols_demangle(argv[1]) : NULL;
    printf("%s\n", name ? name : "(as it is)");
    printf("%s\n", f4p_symbols_cxx(&readable));
    free(name);
    return readable ? 0 : 1;
}
