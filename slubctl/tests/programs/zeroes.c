/* Blocks that were only read, beside others that were written to, some of them shared with a child, and where there is swap some swapped
 * out. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { READ = 64 << 20, WRITTEN = 24 << 20, SWAPPED = 16 << 20, LARGE = 1 << 20, PAGE = 4096 };

int main(void)
{
    volatile char *huge = calloc(1, READ), *large = calloc(1, LARGE);
    char *written = malloc(WRITTEN), *swapped = malloc(SWAPPED);
    if (huge == NULL || large == NULL || written == NULL || swapped == NULL) return 2;
    memset(written, 1, WRITTEN);
    memset(swapped, 1, SWAPPED);
    long sum = 0;
    for (int place = 0; place < READ; place += PAGE) sum += huge[place];
    for (int place = 0; place < LARGE; place += PAGE) sum += large[place];
    if (sum != 0) return 3;
    pid_t child = fork();
    if (child < 0) return 4;
    if (child == 0) {
        /* Ends with the program. */
        pid_t parent = getppid();
        while (getppid() == parent) usleep(10000);
        _exit(0);
    }
    char *page = (char *)(((unsigned long)swapped + PAGE - 1) & -(unsigned long)PAGE);
    /* Nothing happens without swap. */
    madvise(page, SWAPPED - PAGE, 21 /* MADV_PAGEOUT */);
    if (write(1, "ready\n", 6) != 6) return 5;
    for (;;) pause();
}
