/* As much of KUnit as lib/test_list_sort.c uses: what is allocated for a test is freed after it. */
#ifndef SHIM_KUNIT_TEST_H
#define SHIM_KUNIT_TEST_H

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <stdio.h>
#include <stdlib.h>

enum { KUNIT_BLOCKS = 4096 };

struct kunit {
	void *priv;
	int allocated;
	void *blocks[KUNIT_BLOCKS];
};

struct kunit_case {
	void (*run)(struct kunit *test);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

static inline void *kunit_kept(struct kunit *test, void *block)
{
	if (test->allocated == KUNIT_BLOCKS)
		abort();
	return test->blocks[test->allocated++] = block;
}

#define kunit_kmalloc(test, size, flags)        kunit_kept(test, kmalloc(size, flags))
#define kunit_kcalloc(test, count, size, flags) kunit_kept(test, kcalloc(count, size, flags))

#define KUNIT_HOLDS(condition, text)                                                       \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, text);          \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

#define KUNIT_EXPECT_LT_MSG(test, a, b, text)      KUNIT_HOLDS((a) < (b), text)
#define KUNIT_EXPECT_EQ_MSG(test, a, b, text)      KUNIT_HOLDS((a) == (b), text)
#define KUNIT_EXPECT_PTR_EQ_MSG(test, a, b, text)  KUNIT_HOLDS((a) == (b), text)
#define KUNIT_ASSERT_PTR_EQ_MSG(test, a, b, text)  KUNIT_HOLDS((a) == (b), text)
#define KUNIT_ASSERT_LE_MSG(test, a, b, text)      KUNIT_HOLDS((a) <= (b), text)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, block)  KUNIT_HOLDS((block) != NULL, "no memory")

#define KUNIT_CASE(function) { .run = function }
#define kunit_test_suites(suite) \
	static int kunit_main(void) { return kunit_run(suite); } \
	module_init(kunit_main)

static inline int kunit_run(struct kunit_suite *suite)
{
	static struct kunit test;

	for (struct kunit_case *one = suite->test_cases; one->run; one++) {
		one->run(&test);
		while (test.allocated)
			kfree(test.blocks[--test.allocated]);
	}
	return 0;
}

#endif
