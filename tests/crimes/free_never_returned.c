/* Frees an object of a real slab that malloc never returned. */
#include "crime.h"

int main(void) {
    slubmalloc_is_in_charge();
    /* The last object of the first slab's first 64 KiB: with one block taken, nobody got that far. */
    uintptr_t real = (uintptr_t)malloc(64);
    void *culprit = accuse((void *)((real & ~(uintptr_t)0xffff) + 0x10000 - 64));
    free(culprit);
    settle(64);
    flush();
    return got_away();
}
