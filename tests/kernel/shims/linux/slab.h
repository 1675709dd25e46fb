/* The allocators that the kernel's code is tested on. */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <linux/gfp.h>

struct list_lru;

#endif
