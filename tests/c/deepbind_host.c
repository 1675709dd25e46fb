/* Opens a plug-in with RTLD_DEEPBIND.
 *
 *   deepbind_host PLUGIN swap      blocks change hands in both directions, many times
 *   deepbind_host PLUGIN base      the same by dlmopen in the program's namespace
 *   deepbind_host PLUGIN new       dlmopen in a namespace of its own: the plug-in lives on a heap of its own
 *   deepbind_host PLUGIN found     swap, by a dlopen that dlsym has found
 *   deepbind_host PLUGIN name      prints whose function the plug-in gets under a name that both define
 *   deepbind_host PLUGIN error     prints what dlerror says of a library that is not there
 *
 * With -DOLD_VERSION the program asks for the dlopen of the oldest glibc. */
#include "check.h"

#ifdef OLD_VERSION
__asm__(".symver dlopen, dlopen@" OLD_VERSION);
#endif

const char *whose_name(void) { return "the host"; }

static void *function(void *plugin, const char *name) {
    void *address = dlsym(plugin, name);
    CHECK(address != NULL);
    return address;
}

static void swap(void *plugin) {
    void (*takes)(void *) = (void (*)(void *))function(plugin, "plugin_takes");
    char *(*gives)(void) = (char *(*)(void))function(plugin, "plugin_gives");
    char *(*grows)(void *, size_t) = (char *(*)(void *, size_t))function(plugin, "plugin_grows");
    for (size_t size = 1; size < 6 * MIB; size += size / 3 + 7) {
        char *block = malloc(size);
        memset(block, 'x', size);
        block = grows(block, size * 2);
        CHECK(block[0] == 'x' && block[size - 1] == 'x');
        takes(block);
        block = gives();
        CHECK(strcmp(block, "from the plug-in") == 0);
        free(realloc(block, size));
    }
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 3);
    const char *what = argv[2];
    int mode = RTLD_NOW | RTLD_DEEPBIND;
    if (strcmp(what, "error") == 0) {
        CHECK(dlopen("nowhere.so", mode) == NULL);
        puts(dlerror());
        return 0;
    }
    void *plugin;
    if (strcmp(what, "base") == 0) {
        plugin = dlmopen(LM_ID_BASE, argv[1], mode);
    } else if (strcmp(what, "new") == 0) {
        plugin = dlmopen(LM_ID_NEWLM, argv[1], mode);
    } else if (strcmp(what, "found") == 0) {
        void *(*open)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_DEFAULT, "dlopen");
        plugin = open(argv[1], mode);
    } else {
        plugin = dlopen(argv[1], mode);
    }
    CHECK_DL(plugin != NULL);
    if (strcmp(what, "name") == 0) {
        puts(((const char *(*)(void))function(plugin, "plugin_calls_name"))());
        return 0;
    }
    if (strcmp(what, "new") == 0) {
        CHECK(((int (*)(void))function(plugin, "plugin_lives_alone"))());
        Lmid_t namespace;
        CHECK_DL(dlinfo(plugin, RTLD_DI_LMID, &namespace) == 0);
        CHECK(namespace != LM_ID_BASE);
    } else {
        swap(plugin);
    }
    CHECK_DL(dlclose(plugin) == 0);
    return done();
}
