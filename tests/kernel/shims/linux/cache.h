/* Sizes of the processor's cache. */
#ifndef SHIM_LINUX_CACHE_H
#define SHIM_LINUX_CACHE_H

#define L1_CACHE_BYTES 64

#endif
