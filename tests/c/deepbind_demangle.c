/* single-threaded. A C++ runtime opened with RTLD_DEEPBIND makes names that the program frees, and takes buffers of
 * the program's, which it may resize. */
#include "check.h"

typedef char *demangle(const char *name, char *buffer, size_t *size, int *status);

static void exchange(void *runtime) {
    if (runtime == NULL) {
        dprintf(2, "%s\n", dlerror());
        _exit(77);
    }
    demangle *names = (demangle *)dlsym(runtime, "__cxa_demangle");
    void *(*new)(size_t) = (void *(*)(size_t))dlsym(runtime, "_Znwm");
    CHECK(names != NULL && new != NULL);
    for (int i = 0; i < 1000; i++) {
        int status;
        char *name = names("_ZNSt6vectorIiSaIiEE9push_backERKi", NULL, NULL, &status);
        CHECK(status == 0 && strstr(name, "push_back") != NULL);
        free(name);
        size_t size = 2;
        name = names("_ZNSt6vectorIiSaIiEE9push_backERKi", malloc(size), &size, &status);
        CHECK(status == 0 && strstr(name, "push_back") != NULL && size >= strlen(name));
        free(realloc(name, 5000));
        free(new((size_t)i));
    }
}

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(dlopen("nowhere.so", RTLD_NOW | RTLD_DEEPBIND) == NULL && dlerror() != NULL);
    CHECK(dlmopen(LM_ID_BASE, "nowhere.so", RTLD_NOW | RTLD_DEEPBIND) == NULL && dlerror() != NULL);
    exchange(dlopen("libstdc++.so.6", RTLD_NOW | RTLD_DEEPBIND));
    exchange(dlmopen(LM_ID_BASE, "libstdc++.so.6", RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND));
    exchange(dlopen("libstdc++.so.6", RTLD_NOW));
    return done();
}
