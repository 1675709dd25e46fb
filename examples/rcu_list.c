/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A list that readers walk without a lock while a writer takes objects out and puts others in. The objects' memory stays objects of
 * this type (SLAB_TYPESAFE_BY_RCU), so a reader that has found one takes a reference and then looks whether it still is the one
 * that it looked for. Grace periods let memory go that nobody can look at any more.
 *
 *     cc -pthread examples/rcu_list.c $(pkg-config --cflags --libs slubmalloc) -o rcu_list && ./rcu_list
 */
#include <pthread.h>
#include <slubmalloc.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SLOTS = 64, READERS = 2, ROUNDS = 200000 };

struct session {
    /* 0 while the object is free: set by the constructor, and 0 again when it is freed. */
    atomic_uint references;
    atomic_uint key;
};

static struct slub_kmem_cache *sessions;
static _Atomic(struct session *) slots[SLOTS];
static atomic_int is_over;
/* Each reader counts: odd inside of a reading part. A program with liburcu calls synchronize_rcu() instead. */
static atomic_ulong parts[READERS];
static atomic_ulong found, changed, periods;

static void construct(void *object) {
    struct session *session = object;
    atomic_init(&session->references, 0);
    atomic_init(&session->key, 0);
}

static void put(struct session *session) {
    if (atomic_fetch_sub(&session->references, 1) == 1) slub_kmem_cache_free(sessions, session);
}

/* A reference to an object that is in use. */
static int get(struct session *session) {
    unsigned int references = atomic_load(&session->references);
    while (references != 0)
        if (atomic_compare_exchange_weak(&session->references, &references, references + 1)) return 1;
    return 0;
}

static void *reads(void *number) {
    atomic_ulong *part = &parts[(size_t)number];
    for (unsigned int turn = 0; !atomic_load(&is_over); turn++) {
        atomic_fetch_add(part, 1);
        struct session *session = atomic_load(&slots[turn % SLOTS]);
        unsigned int key = session ? atomic_load(&session->key) : 0;
        if (session && get(session)) {
            /* It may have been freed and taken for another key before we had the reference. */
            if (atomic_load(&session->key) == key && key % SLOTS == turn % SLOTS)
                atomic_fetch_add(&found, 1);
            else
                atomic_fetch_add(&changed, 1);
            put(session);
        }
        atomic_fetch_add(part, 1);
    }
    return NULL;
}

/* Waits until each reader has left the part that it was in. */
static void wait_for_readers(void) {
    for (int i = 0; i < READERS; i++) {
        unsigned long before = atomic_load(&parts[i]);
        while (before % 2 == 1 && atomic_load(&parts[i]) == before) {}
    }
}

int main(void) {
    sessions = slub_kmem_cache_create("session", sizeof(struct session), 0, SLUB_TYPESAFE_BY_RCU, construct);
    if (sessions == NULL) return 1;
    pthread_t readers[READERS];
    for (size_t i = 0; i < READERS; i++)
        if (pthread_create(&readers[i], NULL, reads, (void *)i) != 0) return 1;
    for (unsigned int round = 0; round < ROUNDS; round++) {
        struct session *session = slub_kmem_cache_alloc(sessions, SLUB_GFP_KERNEL);
        if (session == NULL) return 1;
        atomic_store(&session->key, round);
        atomic_store(&session->references, 1);
        struct session *old = atomic_exchange(&slots[round % SLOTS], session);
        if (old) put(old);
        if (round % 1000 == 999) {
            unsigned long long number = slub_rcu_begin();
            wait_for_readers();
            if (slub_rcu_end(number) != 0) return 1;
            atomic_fetch_add(&periods, 1);
        }
    }
    atomic_store(&is_over, 1);
    for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    for (int i = 0; i < SLOTS; i++) put(atomic_load(&slots[i]));
    printf("%lu grace periods, %zu sessions in use\n", atomic_load(&periods), slub_kmem_cache_used(sessions));
    if (slub_kmem_cache_destroy(sessions) != 0) return 1;
    /* No reader is left: the memory of the destroyed cache goes, too. */
    return slub_rcu_end(slub_rcu_begin()) != 0;
}
