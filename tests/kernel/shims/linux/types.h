/* The kernel's types for user space, but for the flags, which are the allocators'. */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#define gfp_t         tools_gfp_t
#define GFP_KERNEL    TOOLS_GFP_KERNEL
#define GFP_ATOMIC    TOOLS_GFP_ATOMIC
#define __GFP_HIGHMEM TOOLS___GFP_HIGHMEM
#define __GFP_HIGH    TOOLS___GFP_HIGH
#include_next <linux/types.h>
#undef gfp_t
#undef GFP_KERNEL
#undef GFP_ATOMIC
#undef __GFP_HIGHMEM
#undef __GFP_HIGH

#include <slubmalloc/kernel.h>

#endif
