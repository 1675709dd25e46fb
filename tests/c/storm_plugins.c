/*
 * dlopen and dlclose from six threads, argv[1] times in all. argv[2] and more: libraries made of storm_plugin.c. Threads
 * end now and then, with a library of theirs open or closed, so that thread-local destructors run after dlclose.
 */
#include "storm.h"

enum { LINES = 6, OPENINGS_OF_A_THREAD = 20, SHELF = 16 };

static char **libraries;
static size_t count;
static struct plateau plateau;
static atomic_size_t opened, unloaded;

static void open_one(uint64_t *random) {
    const char *path = libraries[random_of(random) % count];
    void *library = dlopen(path, (random_of(random) % 2 ? RTLD_NOW : RTLD_LAZY) | RTLD_LOCAL);
    if (library == NULL) dprintf(complaints, "%s\n", dlerror());
    CHECK(library != NULL);
    void *(*makes)(size_t, int) = (void *(*)(size_t, int))dlsym(library, "plugin_makes");
    CHECK(makes != NULL);
    size_t size = any_size(random);
    unsigned char *made = makes(size, random_of(random) % 8 == 0);
    CHECK(made != NULL && made[0] == 0 && made[size - 1] == 0);
    if (random_of(random) % 4 == 0) CHECK(dlsym(library, "there_is_no_such_symbol") == NULL && dlerror() != NULL);
    CHECK(dlclose(library) == 0);
    free(made); /* outlives its library */
    library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (library == NULL) atomic_fetch_add(&unloaded, 1);
    else CHECK(dlclose(library) == 0);
    if (random_of(random) % 8 == 0) {
        CHECK(dlopen("/there/is/no/such/library.so", RTLD_NOW) == NULL);
        CHECK(strstr(dlerror(), "no/such/library") != NULL);
    }
}

static void *opens(void *number) {
    uint64_t random = (uintptr_t)number * 7919;
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    size_t opening;
    for (int i = 0; i < OPENINGS_OF_A_THREAD && (opening = atomic_fetch_add(&opened, 1)) < plateau.all; i++) {
        open_one(&random);
        look(&plateau, opening + 1);
        gets_on();
        turns(shelf, SHELF, &random, 10);
    }
    clear(shelf, SHELF);
    return NULL;
}

static void *line(void *number) {
    for (uintptr_t i = 0; opened < plateau.all; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, opens, (void *)(i * LINES + (uintptr_t)number)) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return NULL;
}

int main(int argc, char **argv) {
    plateau.all = amount(argc, argv);
    CHECK(argc > 2);
    libraries = argv + 2;
    count = (size_t)argc - 2;
    watchdog(2 * PATIENCE_SECONDS);
    pthread_t lines[LINES];
    start(lines, LINES, line);
    join(lines, LINES);
    /* Or nothing was constructed and destroyed, only counted. */
    say("unloaded %zu times\n", (size_t)unloaded);
    CHECK_AT(unloaded >= plateau.all / 50, unloaded);
    is_level(&plateau);
    return done();
}
