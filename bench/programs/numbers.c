/* Factoring with many tiny numbers: each result is a block of its own, freed when nobody refers to it. argv: rounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct number {
    uint16_t references, length;
    uint16_t digits[];
};

static struct number *make(int length) {
    struct number *made = malloc(sizeof *made + sizeof(uint16_t) * (size_t)length);
    if (made == NULL) abort();
    made->references = 1;
    made->length = (uint16_t)length;
    return made;
}

static void drop(struct number *number) {
    if (--number->references == 0) free(number);
}

static struct number *trimmed(struct number *number) {
    while (number->length > 1 && number->digits[number->length - 1] == 0) number->length--;
    return number;
}

static struct number *sum(const struct number *one, const struct number *other) {
    int length = (one->length > other->length ? one->length : other->length) + 1;
    struct number *made = make(length);
    uint32_t carry = 0;
    for (int i = 0; i < length; i++) {
        carry += (i < one->length ? one->digits[i] : 0u) + (i < other->length ? other->digits[i] : 0u);
        made->digits[i] = (uint16_t)carry;
        carry >>= 16;
    }
    return trimmed(made);
}

static struct number *product(const struct number *one, const struct number *other) {
    struct number *made = make(one->length + other->length);
    memset(made->digits, 0, sizeof(uint16_t) * made->length);
    for (int i = 0; i < one->length; i++) {
        uint32_t carry = 0;
        for (int j = 0; j < other->length; j++) {
            carry += (uint32_t)one->digits[i] * other->digits[j] + made->digits[i + j];
            made->digits[i + j] = (uint16_t)carry;
            carry >>= 16;
        }
        made->digits[i + other->length] = (uint16_t)carry;
    }
    return trimmed(made);
}

static struct number *lowest(const struct number *number, int length) {
    struct number *made = make(number->length < length ? number->length : length);
    memcpy(made->digits, number->digits, sizeof(uint16_t) * made->length);
    return made;
}

int main(int count, char **words) {
    long rounds = count > 1 ? atol(words[1]) : 3000000;
    struct number *one = make(1), *other = make(1);
    one->digits[0] = 12345;
    other->digits[0] = 777;
    for (long i = 0; i < rounds; i++) {
        struct number *multiplied = product(one, other), *added = sum(multiplied, other);
        drop(multiplied);
        drop(one);
        one = lowest(added, 3 + (int)(i & 7));
        drop(added);
        if ((i & 15) == 0) {
            struct number *next = sum(other, one);
            drop(other);
            other = lowest(next, 4);
            drop(next);
        }
    }
    return one->digits[0] == 1;
}
