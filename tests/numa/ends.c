/*
 * Threads end and their caches are adopted; processes fork: memory stays at home all the same. A thread on the last node
 * allocates and ends, the main thread on the first node frees; then both nodes' threads get memory of their own node.
 */
#include "tally.h"
#include <sys/wait.h>

enum { OBJECTS = 10000, BYTES = 64 };

static void *objects[OBJECTS];

static void take(void *unused) {
    (void)unused;
    for (int i = 0; i < OBJECTS; i++) {
        objects[i] = malloc(BYTES);
        CHECK(objects[i] != NULL);
        touch(objects[i], BYTES);
    }
}

static void give(void) {
    for (int i = 0; i < OBJECTS; i++) free(objects[i]);
}

static void judge(const char *who, const char *what, int node) {
    char name[64];
    struct tally tally = tally_begin();
    for (int i = 0; i < OBJECTS; i++) tally_block(&tally, objects[i], BYTES);
    tally_end(&tally);
    snprintf(name, sizeof name, "ends/%s/%s", who, what);
    judge_share(name, &tally, only(home_of(node)), 100);
}

static void scenario(const char *who) {
    int near = member(nodes_with_cpus(), 0), far = member(nodes_with_cpus(), MAX_NODES);
    move_to_node(near);
    on_node(far, take, NULL);
    judge(who, "first", far);
    give();
    on_node(far, take, NULL);
    judge(who, "adopted", far);
    give();
    take(NULL);
    judge(who, "main", near);
    give();
    /* A cache that a thread of the far node left, for one of the near node. */
    on_node(near, take, NULL);
    judge(who, "other-node", near);
    give();
}

static int in_child(const char *who, int depth) {
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        failures = 0;
        scenario(who);
        if (depth > 0) failures += in_child("grandchild", depth - 1);
        _exit(failures != 0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int main(void) {
    slubmalloc_is_in_charge();
    scenario("parent");
    failures += in_child("child", 1);
    scenario("parent-again");
    return failures != 0;
}
