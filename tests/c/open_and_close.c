/* dlopen and dlclose in a loop, memory crossing the border both ways, errors of the loader. argv[1]: the plugin. */
#include "check.h"
#include <pthread.h>

static void *opens(void *path) {
    for (int i = 0; i < 300; i++) {
        void *plugin = dlopen(path, (i % 2 ? RTLD_NOW : RTLD_LAZY) | RTLD_LOCAL);
        CHECK(plugin != NULL);
        void *(*makes)(size_t) = (void *(*)(size_t))dlsym(plugin, "plugin_makes");
        CHECK(makes != NULL);
        char *made = makes(1000 + (size_t)i * 100);
        CHECK(made != NULL);
        CHECK(dlsym(plugin, "there_is_no_such_symbol") == NULL && dlerror() != NULL);
        CHECK(dlclose(plugin) == 0);
        free(made); /* outlives its library */
        CHECK(dlopen("/there/is/no/such/library.so", RTLD_NOW) == NULL);
        CHECK(strstr(dlerror(), "no/such/library") != NULL);
    }
    return NULL;
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2);
    opens(argv[1]);
    size_t before = resident();
    pthread_t threads[3];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, opens, argv[1]) == 0);
        for (int i = 0; i < 3; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(resident() < before + 64 * MIB);
    return done();
}
