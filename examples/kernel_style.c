/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Code as it is written in the kernel, with one include: a table of names, each in a page's list.
 *
 *     cc examples/kernel_style.c $(pkg-config --cflags --libs slubmalloc) -o kernel_style && ./kernel_style
 */
#include <slubmalloc/kernel.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct name {
    struct name *next;
    char *text;
    unsigned int hash;
};

struct table {
    struct name **buckets;
    unsigned int order;
    unsigned int count;
};

static struct kmem_cache *name_cachep;

static unsigned int hash_of(const char *text) {
    unsigned int hash = 5381;
    while (*text) hash = hash * 33 + (unsigned char)*text++;
    return hash;
}

static struct name **bucket_of(struct table *table, unsigned int hash) {
    return &table->buckets[hash % ((4096u << table->order) / sizeof(struct name *))];
}

static int table_add(struct table *table, const char *text) {
    struct name *name = kmem_cache_zalloc(name_cachep, GFP_KERNEL);
    if (!name) return -ENOMEM;
    name->text = kstrdup(text, GFP_KERNEL);
    if (!name->text) {
        kmem_cache_free(name_cachep, name);
        return -ENOMEM;
    }
    name->hash = hash_of(text);
    struct name **bucket = bucket_of(table, name->hash);
    name->next = *bucket;
    *bucket = name;
    table->count++;
    return 0;
}

static struct name *table_find(struct table *table, const char *text) {
    unsigned int hash = hash_of(text);
    struct name *name = *bucket_of(table, hash);
    while (name && (name->hash != hash || strcmp(name->text, text))) name = name->next;
    return name;
}

static struct table *table_create(unsigned int order) {
    struct table *table = kzalloc(sizeof(*table), GFP_KERNEL);
    if (!table) return NULL;
    table->order = order;
    table->buckets = (struct name **)__get_free_pages(GFP_KERNEL | __GFP_ZERO, order);
    if (!table->buckets) {
        kfree(table);
        return NULL;
    }
    return table;
}

static void table_destroy(struct table *table) {
    for (size_t i = 0; i < (4096u << table->order) / sizeof(struct name *); i++) {
        struct name *name = table->buckets[i];
        while (name) {
            struct name *next = name->next;
            kfree(name->text);
            kmem_cache_free(name_cachep, name);
            name = next;
        }
    }
    free_pages((unsigned long)table->buckets, table->order);
    kfree(table);
}

int main(void) {
    name_cachep = KMEM_CACHE(name, SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_ACCOUNT);
    struct table *table = table_create(2);
    if (!table) return 1;
    char text[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "name-%d", i);
        if (table_add(table, text)) return 1;
    }
    struct page *page = virt_to_page(table->buckets);
    printf("%u names, found: %s, missing: %s, on node %s\n", table->count,
           table_find(table, "name-19999") ? "yes" : "no", table_find(table, "name-20000") ? "no" : "yes",
           page_to_nid(page) >= 0 ? "known" : "unknown");
    int *squares = kvmalloc_array(1000, sizeof(int), GFP_KERNEL);
    char *scratch = vzalloc(100000);
    if (!squares || !scratch || scratch[99999]) return 1;
    vfree(scratch);
    kvfree(squares);
    table_destroy(table);
    kmem_cache_destroy(name_cachep);
    puts("destroyed");
    return 0;
}
