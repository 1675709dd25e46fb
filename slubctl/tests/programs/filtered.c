/* Runs a program under a filter of system calls, as in a container: those whose numbers come first fail with EPERM.
 * Arguments: numbers, "--", and the program with its arguments. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MOST = 16 };

int main(int count, char **arguments)
{
    struct sock_filter filter[2 * MOST + 2];
    unsigned short length = 0;
    int index = 1;
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (; index < count && index <= MOST && strcmp(arguments[index], "--") != 0; index++) {
        unsigned number = (unsigned)strtoul(arguments[index], NULL, 10);
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, filter};
    if (index + 1 >= count) return 125;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 126;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 126;
    execv(arguments[index + 1], arguments + index + 1);
    return 127;
}
