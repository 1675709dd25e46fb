/* A program of another C library, as musl-gcc makes it: blocks of all sizes, threads, children, and a plug-in.
 * Needs nothing of glibc's, so it does not use check.h. Prints "ok". */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(cond)                                                                               \
    do {                                                                                          \
        if (!(cond)) {                                                                            \
            dprintf(2, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #cond);                    \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

static void *work(void *unused) {
    static const size_t sizes[] = {1, 100, 4000, 40000, 1 << 20, 6 << 20};
    char *kept[64] = {0};
    unsigned random = 1;
    for (int i = 0; i < 4000; i++) {
        random = random * 1103515245 + 12345;
        char **place = &kept[random >> 8 & 63];
        size_t size = sizes[(random >> 16 & 255) < 250 ? random >> 24 & 3 : random >> 24 & 1 ? 4 : 5];
        if (*place != NULL) CHECK((*place)[0] == 'a');
        *place = random & 1 << 15 ? realloc(*place, size) : (free(*place), malloc(size));
        CHECK(*place != NULL);
        (*place)[0] = 'a';
        (*place)[size - 1] = 'a';
    }
    for (int i = 0; i < 64; i++) free(kept[i]);
    void *aligned;
    CHECK(posix_memalign(&aligned, 4096, 100) == 0 && (size_t)aligned % 4096 == 0);
    free(aligned);
    return unused;
}

int main(int argc, char **argv) {
    char *text = strdup("of the libc");
    text = realloc(text, 100);
    CHECK(strcmp(text, "of the libc") == 0);
    free(text);
    work(NULL);
    pthread_t threads[4];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            work(NULL);
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    }
    if (argc > 1) {
        void *plugin = dlopen(argv[1], RTLD_NOW);
        if (plugin == NULL) dprintf(2, "%s\n", dlerror());
        CHECK(plugin != NULL);
        void *(*gives)(void) = (void *(*)(void))dlsym(plugin, "plugin_gives");
        void (*takes)(void *) = (void (*)(void *))dlsym(plugin, "plugin_takes");
        CHECK(gives != NULL && takes != NULL);
        for (int i = 0; i < 1000; i++) {
            free(gives());
            takes(malloc((size_t)i * 100));
        }
        CHECK(dlopen("nowhere.so", RTLD_NOW) == NULL && dlerror() != NULL);
    }
    puts("ok");
    return 0;
}
