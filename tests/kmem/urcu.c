/*
 * Readers under liburcu's rcu_read_lock() and a writer that frees, allocates, shrinks and destroys without waiting for them. Each reader
 * keeps an object until the writer has done all that and used memory for other things, and then looks at every byte of it.
 *
 * An argument takes something out that readers depend on, and the program has to fail then: no-flag, SLAB_TYPESAFE_BY_RCU; early-end, that the
 * grace period ends after synchronize_rcu().
 */
#include "kmem.h"
#include <stdatomic.h>
#include <urcu.h>

enum { SLOTS = 4096, READERS = 3, ROUNDS = 60, PADDING = 14 };

#define MARK 0x7461682065727561ULL

struct entry {
    /* What makes an object one of this type; only the constructor writes them. */
    unsigned long long marks[PADDING];
    atomic_uint key;
    /* 0 while the object is free. */
    atomic_uint references;
};

static _Atomic(struct entry *) slots[SLOTS];
/* Odd while the writer waits for readers, who must not wait for it then. */
static atomic_uint epoch;
static atomic_int is_over;
static atomic_ulong found, changed;

static void construct(void *object) {
    struct entry *entry = object;
    for (int i = 0; i < PADDING; i++) entry->marks[i] = MARK;
    atomic_init(&entry->key, 0);
    atomic_init(&entry->references, 0);
}

static int get(struct entry *entry) {
    unsigned references = atomic_load(&entry->references);
    while (references != 0)
        if (atomic_compare_exchange_weak(&entry->references, &references, references + 1)) return 1;
    return 0;
}

/* Plain free: the cache may be another one by now, or destroyed but for this object. */
static void put(struct entry *entry) {
    if (atomic_fetch_sub(&entry->references, 1) == 1) free(entry);
}

static void has_its_type(struct entry *entry) {
    for (int i = 0; i < PADDING; i++) {
        unsigned long long mark = *(volatile unsigned long long *)&entry->marks[i];
        if (mark != MARK) {
            fprintf(stderr, "an object is none of its type any more: 0x%llx\n", mark);
            _exit(1);
        }
    }
    CHECK(atomic_load(&entry->key) < 2 * SLOTS);
}

static void *reads(void *number) {
    unsigned slot = (unsigned)(size_t)number * 977;
    rcu_register_thread();
    while (!atomic_load(&is_over)) {
        slot = (slot * 5 + 1) % SLOTS;
        rcu_read_lock();
        unsigned before = atomic_load(&epoch);
        struct entry *entry = atomic_load(&slots[slot]);
        unsigned key = atomic_load(&entry->key);
        while (before % 2 == 0 && atomic_load(&epoch) == before && !atomic_load(&is_over)) {}
        has_its_type(entry);
        /* It may be another one by now, or none. While the writer waits nobody takes a reference, so that caches can be destroyed. */
        if (before % 2 == 0 && get(entry)) {
            if (atomic_load(&entry->key) == key && key % SLOTS == slot)
                atomic_fetch_add(&found, 1);
            else
                atomic_fetch_add(&changed, 1);
            has_its_type(entry);
            rcu_read_unlock();
            put(entry);
        } else {
            rcu_read_unlock();
        }
    }
    rcu_unregister_thread();
    return NULL;
}

static struct slub_kmem_cache *created(int without_flag) {
    struct slub_kmem_cache *cache =
        slub_kmem_cache_create("entry", sizeof(struct entry), 0, without_flag ? 0 : SLUB_TYPESAFE_BY_RCU, construct);
    CHECK(cache != NULL);
    return cache;
}

/* New objects in half of the slots or in all; the old ones are free at once. */
static void replaces(struct slub_kmem_cache *cache, unsigned round, unsigned step) {
    for (unsigned slot = 0; slot < SLOTS; slot += step) {
        struct entry *entry = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        CHECK(entry != NULL);
        atomic_store(&entry->key, slot + round % 2 * SLOTS);
        atomic_store(&entry->references, 1);
        struct entry *old = atomic_exchange(&slots[slot], entry);
        if (old) put(old);
    }
}

/* What a program does beside, for memory that was given back. */
static void takes_memory(void) {
    static void *blocks[2000];
    for (int i = 0; i < 2000; i++) CHECK((blocks[i] = malloc(500 + i)) != NULL && memset(blocks[i], 0xff, 500 + i));
    for (int i = 0; i < 2000; i++) free(blocks[i]);
    malloc_trim(0);
}

int main(int count, char **arguments) {
    const char *without = count > 1 ? arguments[1] : "";
    int without_flag = strcmp(without, "no-flag") == 0, ends_early = strcmp(without, "early-end") == 0;
    static struct slub_kmem_cache *left[ROUNDS];
    int left_count = 0;
    malloc_is_ours();
    rcu_register_thread();
    struct slub_kmem_cache *cache = created(without_flag);
    replaces(cache, 0, 1);
    pthread_t readers[READERS];
    for (size_t i = 0; i < READERS; i++) CHECK(pthread_create(&readers[i], NULL, reads, (void *)i) == 0);
    long before = 0;
    /* On a busy machine a few more, until both kinds of readers were there. */
    for (unsigned round = 1; round <= ROUNDS || (round < 50 * ROUNDS && !(atomic_load(&found) && atomic_load(&changed))); round++) {
        if (round % 3 == 0 && round <= ROUNDS) {
            struct slub_kmem_cache *old = cache;
            cache = created(without_flag);
            replaces(cache, round, 1);
            /* A reader may have a reference at this moment. */
            if (slub_kmem_cache_destroy(old) != 0) left[left_count++] = old;
        } else {
            replaces(cache, round, 1 + round % 2);
            slub_kmem_cache_shrink(cache);
        }
        unsigned long long number = slub_rcu_begin();
        CHECK(without_flag || number != 0);
        if (ends_early) CHECK(slub_rcu_end(number) == 0);
        takes_memory();
        atomic_fetch_add(&epoch, 1);
        synchronize_rcu();
        atomic_fetch_add(&epoch, 1);
        if (!ends_early) CHECK(slub_rcu_end(number) == 0);
        if (round == ROUNDS / 3) before = resident_kib();
    }
    atomic_store(&is_over, 1);
    for (int i = 0; i < READERS; i++) CHECK(pthread_join(readers[i], NULL) == 0);
    for (unsigned slot = 0; slot < SLOTS; slot++) put(atomic_load(&slots[slot]));
    CHECK(slub_kmem_cache_used(cache) == 0 && slub_kmem_cache_destroy(cache) == 0);
    for (int i = 0; i < left_count; i++) CHECK(slub_kmem_cache_destroy(left[i]) == 0);
    CHECK(slub_rcu_end(slub_rcu_begin()) == 0);
    malloc_trim(0);
    /* Each cache had more than half a mebibyte, and both kinds of readers were there. */
    CHECK_AT(resident_kib() < before + 2048, resident_kib() - before);
    CHECK_AT(atomic_load(&found) > 0 && atomic_load(&changed) > 0, (long)atomic_load(&found));
    CHECK_AT(left_count < ROUNDS / 3, left_count);
    puts("ok");
    return 0;
}
