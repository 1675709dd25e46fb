/* Calls of each other without frame pointers, for benches/stacks.rs. */

typedef int call(int, void (*)(void *), void *);
static call with_array, with_registers;
static call *const volatile calls[] = {with_array, with_registers};

int deep(int depth, void (*leaf)(void *), void *data) {
    if (depth == 0) {
        leaf(data);
        return 1;
    }
    return calls[depth % 2](depth - 1, leaf, data) + depth;
}

static int with_array(int depth, void (*leaf)(void *), void *data) {
    volatile int numbers[40];
    numbers[depth % 40] = depth;
    int below = deep(depth, leaf, data);
    return below + numbers[depth % 40];
}

static int with_registers(int depth, void (*leaf)(void *), void *data) {
    int one = depth * 3, two = depth ^ 5, three = depth + 7;
    return deep(depth, leaf, data) * one + two * three;
}
