/* A library in a folder of its own, which opens what lies beside it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *middle_opens(const char *name, int mode) { return dlopen(name, mode); }

void *middle_opens_in_base(const char *name, int mode) { return dlmopen(LM_ID_BASE, name, mode); }

#ifdef IN_CONSTRUCTOR
/* Preloaded after the allocator, this constructor runs before the allocator's. */
__attribute__((constructor)) static void opens_early(void) {
    const char *path = getenv("EARLY_PLUGIN");
    void *plugin = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
    if (plugin == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        _Exit(1);
    }
    void *(*gives)(void) = (void *(*)(void))dlsym(plugin, "plugin_gives");
    void (*takes)(void *) = (void (*)(void *))dlsym(plugin, "plugin_takes");
    for (int i = 0; i < 1000; i++) {
        free(gives());
        takes(malloc((size_t)i * 10));
    }
    puts("early");
    fflush(stdout);
}
#endif
