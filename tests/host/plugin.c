/* A library that loading.c opens and closes; memory it takes is released by others and the other way round. */
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)

void *plugin_make(size_t size);
void plugin_take(void *block);
static void *own;

__attribute__((constructor)) static void opened(void)
{
    own = malloc(3000);
}

__attribute__((destructor)) static void closed(void)
{
    free(own);
}

void *plugin_make(size_t size)
{
    return memset(malloc(size), 7, size);
}

void plugin_take(void *block)
{
    free(block);
}
