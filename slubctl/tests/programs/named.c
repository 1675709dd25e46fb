/* Named caches whose every count is known: objects in use, in this thread's sheaves and in another's, type-safe and destroyed ones, one
 * with the name of a size class. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <slubmalloc.h>

enum { INODES = 1000, FREED = 300, DENTRIES = 50, OF_THREAD = 20 };
static void *kept[INODES];
static struct slub_kmem_cache *inode;
static volatile int running;

static void *thread(void *unused)
{
    (void)unused;
    void *mine[OF_THREAD];
    for (int index = 0; index < OF_THREAD; index++) mine[index] = slub_kmem_cache_alloc(inode, SLUB_GFP_KERNEL);
    for (int index = 0; index < OF_THREAD; index++) slub_kmem_cache_free(inode, mine[index]);
    running = 1;
    for (;;) pause();
    return NULL;
}

int main(void)
{
    inode = slub_kmem_cache_create("inode cache", 200, 0, 0, NULL);
    struct slub_kmem_cache *dentry = slub_kmem_cache_create("dentry", 5000, 0, SLUB_TYPESAFE_BY_RCU, NULL);
    struct slub_kmem_cache *gone = slub_kmem_cache_create("gone", 64, 0, SLUB_TYPESAFE_BY_RCU, NULL);
    struct slub_kmem_cache *unused = slub_kmem_cache_create("unused", 64, 0, 0, NULL);
    struct slub_kmem_cache *alike = slub_kmem_cache_create("kmalloc-64", 64, 0, SLUB_TYPESAFE_BY_RCU, NULL);
    if (inode == NULL || dentry == NULL || gone == NULL || unused == NULL || alike == NULL) _exit(3);
    for (int index = 0; index < 7; index++) slub_kmem_cache_alloc(alike, SLUB_GFP_KERNEL);
    for (int index = 0; index < INODES; index++) kept[index] = slub_kmem_cache_alloc(inode, SLUB_GFP_KERNEL);
    for (int index = 0; index < FREED; index++) slub_kmem_cache_free(inode, kept[index]);
    for (int index = 0; index < DENTRIES; index++) memset(slub_kmem_cache_alloc(dentry, SLUB_GFP_KERNEL), 1, 5000);
    slub_kmem_cache_free(gone, slub_kmem_cache_alloc(gone, SLUB_GFP_KERNEL));
    unsigned long long period = slub_rcu_begin();
    if (slub_kmem_cache_destroy(gone) != 0 || period == 0) _exit(4);
    pthread_t handle;
    if (pthread_create(&handle, NULL, thread, NULL) != 0) _exit(5);
    while (!running) usleep(1000);
    if (write(1, "ready\n", 6) != 6) _exit(6);
    for (;;) pause();
}
