/* A C program without libstdc++ opens a C++ library with RTLD_LOCAL: its operator new must still throw. */
#include "check.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2);
    for (int round = 0; round < 3; round++) {
        void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (plugin == NULL) dprintf(2, "%s\n", dlerror());
        CHECK(plugin != NULL);
        int (*survives)(void) = (int (*)(void))dlsym(plugin, "plugin_survives_bad_alloc");
        CHECK(survives != NULL);
        CHECK_AT(survives() == 5, survives());
        CHECK(dlclose(plugin) == 0);
    }
    return done();
}
