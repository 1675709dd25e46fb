/* A module is loaded before main() and unloaded after it. */
#ifndef SHIM_LINUX_MODULE_H
#define SHIM_LINUX_MODULE_H

#include <errno.h>
#include <linux/bug.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kern_levels.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <stdlib.h>

/* EAGAIN: a test that passed and does not stay loaded. */
#ifndef module_init
#define module_init(function)                                                   \
	static void __attribute__((constructor)) load_##function(void)          \
	{                                                                       \
		int error = function();                                         \
		if (error && error != -EAGAIN)                                  \
			exit(1);                                                \
	}
#define module_exit(function) \
	static void __attribute__((destructor)) unload_##function(void) { function(); }
#define MODULE_AUTHOR(text)
#define MODULE_LICENSE(text)
#endif
#define MODULE_DESCRIPTION(text)

#ifndef MAX
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

#endif
