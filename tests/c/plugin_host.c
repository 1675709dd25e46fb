/*
 * Opens a plug-in with an allocator of its own, uses it in threads, and closes it, again and again. Some of the threads live
 * on and end when the plug-in is gone. Nothing of it may be left: no key, no thread, no fork handler, few mappings, little
 * memory. argv[1]: the plug-in; argv[2]: how often; argv[3]: "leak" if it leaves a block in use each time, "keyless" if the
 * program has taken all keys before, "stay" if the program ends with the plug-in open and its threads in it.
 */
#include "check.h"
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>

enum { GUESTS = 3 };
static size_t (*work)(size_t), (*threads)(size_t);
static void *(*leak)(size_t);
static pthread_barrier_t worked, closed;

static void *outlives_the_plugin(void *unused) {
    CHECK(work(1 << 16) > 1 << 16);
    pthread_barrier_wait(&worked);
    pthread_barrier_wait(&closed);
    return unused;
}

static void *never_leaves(void *unused) {
    for (;;) CHECK(work(1 << 16) > 1 << 16);
    return unused;
}

static void *has_threads_run(void *unused) {
    CHECK(threads(2) > 0);
    return unused;
}

static size_t free_keys(void) {
    static pthread_key_t keys[PTHREAD_KEYS_MAX];
    size_t count = 0;
    while (count < PTHREAD_KEYS_MAX && pthread_key_create(&keys[count], NULL) == 0) count++;
    for (size_t i = 0; i < count; i++) CHECK(pthread_key_delete(keys[i]) == 0);
    return count;
}

static size_t lines_of(const char *path, const char *word) {
    FILE *file = fopen(path, "r");
    char line[4096];
    size_t count = 0;
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file)) count += strstr(line, word) != NULL;
    fclose(file);
    return count;
}

static size_t tasks(void) {
    DIR *dir = opendir("/proc/self/task");
    size_t count = 0;
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void forks(void) {
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int count, char **words) {
    CHECK(count >= 3);
    int leaks = count > 3 && strcmp(words[3], "leak") == 0, is_keyless = count > 3 && strcmp(words[3], "keyless") == 0;
    pthread_key_t key;
    while (is_keyless && pthread_key_create(&key, NULL) == 0) continue;
    size_t rounds = strtoul(words[2], NULL, 10), keys = free_keys();
    size_t mappings = 0, bytes = 0, address_kib = 0;
    pthread_t guests[GUESTS], other;
    for (size_t round = 0; round < rounds; round++) {
        void *plugin = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
        if (plugin == NULL) dprintf(2, "%s\n", dlerror());
        CHECK_AT(plugin != NULL, round);
        CHECK((work = (size_t (*)(size_t))dlsym(plugin, "plugin_work")) != NULL);
        CHECK((threads = (size_t (*)(size_t))dlsym(plugin, "plugin_threads")) != NULL);
        CHECK((leak = (void *(*)(size_t))dlsym(plugin, "plugin_leak")) != NULL);
        CHECK(pthread_barrier_init(&worked, NULL, GUESTS + 1) == 0);
        CHECK(pthread_barrier_init(&closed, NULL, GUESTS + 1) == 0);
        CHECK(work(8 << 20) > 0);
        for (int i = 0; i < GUESTS; i++) CHECK(pthread_create(&guests[i], NULL, outlives_the_plugin, NULL) == 0);
        /* Some also leave when threads of the plug-in's own have come and gone, for which Rust's library takes a key for
         * good, with any allocator. */
        int has_threads = round % 50 == 1 && !is_keyless;
        if (has_threads) {
            CHECK(pthread_create(&other, NULL, has_threads_run, NULL) == 0 && pthread_join(other, NULL) == 0);
        }
        unsigned char *kept = leaks ? leak(100) : NULL;
        pthread_barrier_wait(&worked);
        CHECK(dlclose(plugin) == 0);
        CHECK_AT(lines_of("/proc/self/maps", "plugin.so") == 0, round);
        CHECK_AT(tasks() == 1 + GUESTS, round);
        pthread_barrier_wait(&closed);
        for (int i = 0; i < GUESTS; i++) CHECK(pthread_join(guests[i], NULL) == 0);
        CHECK_AT(free_keys() == keys - has_threads, round);
        keys -= has_threads;
        CHECK_AT(!leaks || kept[99] == 7, round);
        forks();
        if (round == rounds / 10) {
            mappings = lines_of("/proc/self/maps", "");
            bytes = resident();
            address_kib = proc_number("/proc/self/status", "VmSize:");
        }
    }
    if (count > 3 && strcmp(words[3], "stay") == 0) {
        void *plugin = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
        CHECK(plugin != NULL && (work = (size_t (*)(size_t))dlsym(plugin, "plugin_work")) != NULL);
        for (int i = 0; i < GUESTS; i++) CHECK(pthread_create(&guests[i], NULL, never_leaves, NULL) == 0);
        usleep(3000);
        done();
        exit(0);
    }
    size_t later = rounds - rounds / 10;
    size_t more_mappings = lines_of("/proc/self/maps", "") - mappings;
    size_t more_kib = (resident() - bytes) / KIB;
    size_t more_address_kib = proc_number("/proc/self/status", "VmSize:") - address_kib;
    printf("for each of %zu: %.2f mappings, %.2f KiB resident, %.2f KiB of addresses\n", later,
           (double)more_mappings / later, (double)(ptrdiff_t)more_kib / later,
           (double)(ptrdiff_t)more_address_kib / later);
    fflush(stdout);
    /* A block in use keeps the pages of its slab; a thread that lives on keeps its cache where it had no key. */
    ptrdiff_t most = leaks || is_keyless ? 4 * later : 20;
    CHECK_AT((ptrdiff_t)more_mappings <= most, more_mappings);
    CHECK_AT((ptrdiff_t)more_kib <= most * 64, more_kib);
    CHECK_AT((ptrdiff_t)more_address_kib <= (leaks || is_keyless ? most << 20 : 4096), more_address_kib);
    return done();
}
