/* Two copies of the library in one process, and what one of them does with a pointer of the other. Arguments: the files, and what. */
#include <dlfcn.h>
#include <errno.h>
#include <slubmalloc.h>
#include <stdio.h>
#include <string.h>

struct copy {
    void *(*kmalloc)(size_t, slub_gfp_t);
    void (*kfree)(const void *);
    void (*free)(void *);
    void *(*realloc)(void *, size_t);
    size_t (*usable_size)(const void *);
    struct slub_kmem_cache *(*create)(const char *, unsigned, unsigned, unsigned, void (*)(void *));
    void *(*alloc)(struct slub_kmem_cache *, slub_gfp_t);
    void (*cache_free)(struct slub_kmem_cache *, void *);
    int (*destroy)(struct slub_kmem_cache *);
    struct slub_slab_sheaf *(*prefill)(struct slub_kmem_cache *, slub_gfp_t, unsigned);
    void *(*from_sheaf)(struct slub_kmem_cache *, slub_gfp_t, struct slub_slab_sheaf *);
    void (*return_sheaf)(struct slub_kmem_cache *, slub_gfp_t, struct slub_slab_sheaf *);
    unsigned (*sheaf_size)(struct slub_slab_sheaf *);
    int (*refill)(struct slub_kmem_cache *, slub_gfp_t, struct slub_slab_sheaf **, unsigned);
    struct slub_mempool *(*create_pool)(int, struct slub_kmem_cache *);
    void *(*from_pool)(struct slub_mempool *, slub_gfp_t);
};

static void *name(void *handle, const char *text)
{
    void *found = dlsym(handle, text);
    if (found == NULL) fprintf(stderr, "no %s\n", text), _Exit(3);
    return found;
}

static struct copy copy_in(const char *file)
{
    void *it = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (it == NULL) fprintf(stderr, "%s\n", dlerror()), _Exit(3);
    struct copy copy;
    *(void **)&copy.kmalloc = name(it, "slub_kmalloc");
    *(void **)&copy.kfree = name(it, "slub_kfree");
    *(void **)&copy.free = name(it, "slub_free");
    *(void **)&copy.realloc = name(it, "slub_realloc");
    *(void **)&copy.usable_size = name(it, "slub_usable_size");
    *(void **)&copy.create = name(it, "slub_kmem_cache_create");
    *(void **)&copy.alloc = name(it, "slub_kmem_cache_alloc");
    *(void **)&copy.cache_free = name(it, "slub_kmem_cache_free");
    *(void **)&copy.destroy = name(it, "slub_kmem_cache_destroy");
    *(void **)&copy.prefill = name(it, "slub_kmem_cache_prefill_sheaf");
    *(void **)&copy.from_sheaf = name(it, "slub_kmem_cache_alloc_from_sheaf");
    *(void **)&copy.return_sheaf = name(it, "slub_kmem_cache_return_sheaf");
    *(void **)&copy.sheaf_size = name(it, "slub_kmem_cache_sheaf_size");
    *(void **)&copy.refill = name(it, "slub_kmem_cache_refill_sheaf");
    *(void **)&copy.create_pool = name(it, "slub_mempool_create");
    *(void **)&copy.from_pool = name(it, "slub_mempool_alloc");
    return copy;
}

int main(int count, char **arguments)
{
    if (count != 4) return 2;
    struct copy one = copy_in(arguments[1]), two = copy_in(arguments[2]);
    const char *what = arguments[3];
    struct slub_kmem_cache *ones = one.create("ones", 64, 0, 0, NULL), *twos = two.create("twos", 64, 0, 0, NULL);
    void *small = one.kmalloc(100, SLUB_GFP_KERNEL), *large = one.kmalloc(100 << 10, SLUB_GFP_KERNEL);
    void *huge = one.kmalloc(20 << 20, SLUB_GFP_KERNEL), *object = one.alloc(ones, SLUB_GFP_KERNEL);
    two.free(two.kmalloc(100, SLUB_GFP_KERNEL));
    if (!strcmp(what, "handle-alloc-early")) two.alloc(ones, SLUB_GFP_KERNEL);
    /* Both caches have the same number, and the thread has objects of both at hand. */
    for (int i = 0; i < 100; i++) one.cache_free(ones, one.alloc(ones, SLUB_GFP_KERNEL));
    for (int i = 0; i < 100; i++) two.cache_free(twos, two.alloc(twos, SLUB_GFP_KERNEL));
    if (ones == NULL || twos == NULL || small == NULL || large == NULL || huge == NULL || object == NULL) return 3;
    if (one.kmalloc == two.kmalloc) return 4;
    if (!strcmp(what, "sizes")) {
        if (two.usable_size(small) || two.usable_size(large) || two.usable_size(huge) || two.usable_size(object)) return 5;
        if (one.usable_size(small) < 100 || one.usable_size(object) != 64) return 6;
        one.free(small), one.kfree(large), one.free(huge), one.free(object);
        return one.destroy(ones) || two.destroy(twos);
    }
    if (!strcmp(what, "free")) two.free(small);
    if (!strcmp(what, "free-large")) two.free(large);
    if (!strcmp(what, "free-huge")) two.free(huge);
    if (!strcmp(what, "free-object")) two.free(object);
    if (!strcmp(what, "kfree")) two.kfree(small);
    if (!strcmp(what, "realloc")) two.realloc(small, 200);
    if (!strcmp(what, "cache-free")) two.cache_free(twos, object);
    if (!strcmp(what, "handle-alloc")) two.alloc(ones, SLUB_GFP_KERNEL);
    if (!strcmp(what, "handle-free")) two.cache_free(ones, object);
    if (!strcmp(what, "handle-destroy")) two.destroy(ones);
    struct slub_slab_sheaf *sheaf = one.prefill(ones, SLUB_GFP_KERNEL, 5);
    if (!strcmp(what, "sheaf-alloc")) two.from_sheaf(ones, SLUB_GFP_KERNEL, sheaf);
    if (!strcmp(what, "sheaf-return")) two.return_sheaf(twos, SLUB_GFP_KERNEL, sheaf);
    /* Its cache is the other one's, or the right one's. */
    if (!strcmp(what, "sheaf-size")) two.sheaf_size(sheaf);
    if (!strcmp(what, "sheaf-alloc-own")) two.from_sheaf(twos, SLUB_GFP_KERNEL, sheaf);
    if (!strcmp(what, "sheaf-refill")) two.refill(twos, SLUB_GFP_KERNEL, &sheaf, 3);
    if (!strcmp(what, "sheaf-refill-more")) two.refill(twos, SLUB_GFP_KERNEL, &sheaf, 30);
    struct slub_mempool *pool = one.create_pool(3, ones);
    if (!strcmp(what, "pool-alloc")) two.from_pool(pool, SLUB_GFP_KERNEL);
    if (!strcmp(what, "pool-create")) two.create_pool(3, ones);
    return 7;
}
