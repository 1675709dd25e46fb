/*
 * The tracepoints of the library: each is a nop in code, records its event, and has the arguments that docs/tracing.md
 * says. The program does what a tracer does: it reads the notes in the library's file, puts a breakpoint on each nop, and
 * reads the registers that the note names. With `limited` it has been given a limit of 64 MiB,
 * with `profiled` every block is a sample. single-threaded
 */
#include "check.h"
#include "slubmalloc.h"
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>

/* Preloaded, or in the program itself. */
#pragma weak slub_pool_create
#pragma weak slub_pool_malloc

enum { SITES = 128, EVENTS = 8192, BLOCKS = 500 };

#if defined(__x86_64__)
typedef unsigned char instruction;
enum { NOP = 0x90, BREAKPOINT = 0xcc };
#define PC(context) ((context)->uc_mcontext.gregs[REG_RIP])
#define STOPPED_AT(context) ((uintptr_t)PC(context) - sizeof(instruction))
#define GO_ON(context) (void)0

static uint64_t register_of(const ucontext_t *context, const char *name) {
    static const struct {
        const char *names[2];
        int number;
    } all[] = {
        {{"%rax", "%eax"}, REG_RAX},  {{"%rbx", "%ebx"}, REG_RBX},  {{"%rcx", "%ecx"}, REG_RCX},
        {{"%rdx", "%edx"}, REG_RDX},  {{"%rsi", "%esi"}, REG_RSI},  {{"%rdi", "%edi"}, REG_RDI},
        {{"%rbp", "%ebp"}, REG_RBP},  {{"%r8", "%r8d"}, REG_R8},    {{"%r9", "%r9d"}, REG_R9},
        {{"%r10", "%r10d"}, REG_R10}, {{"%r11", "%r11d"}, REG_R11}, {{"%r12", "%r12d"}, REG_R12},
        {{"%r13", "%r13d"}, REG_R13}, {{"%r14", "%r14d"}, REG_R14}, {{"%r15", "%r15d"}, REG_R15},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int j = 0; j < 2; j++)
            if (strcmp(all[i].names[j], name) == 0) return (uint64_t)context->uc_mcontext.gregs[all[i].number];
    dprintf(2, "no register %s\n", name);
    _exit(1);
}
#elif defined(__aarch64__)
typedef uint32_t instruction;
enum { NOP = 0xd503201f, BREAKPOINT = 0xd4200000 };
#define PC(context) ((context)->uc_mcontext.pc)
#define STOPPED_AT(context) ((uintptr_t)PC(context))
#define GO_ON(context) (PC(context) += sizeof(instruction))

static uint64_t register_of(const ucontext_t *context, const char *name) {
    char *end;
    unsigned long number = strtoul(name + 1, &end, 10);
    CHECK(name[0] == 'x' && number < 31 && *end == 0);
    return context->uc_mcontext.regs[number];
}
#else
#error "which registers are there?"
#endif

enum { MOST_ARGUMENTS = 4 };

static struct site {
    const char *name;
    instruction *place;
    int arguments;
    int bytes[MOST_ARGUMENTS];
    char registers[MOST_ARGUMENTS][8];
} sites[SITES];
static size_t site_count;

static struct event {
    const char *name;
    uint64_t arguments[MOST_ARGUMENTS];
} events[EVENTS];
static volatile size_t event_count;

static void stopped(int signal, siginfo_t *info, void *of) {
    ucontext_t *context = of;
    (void)signal, (void)info;
    for (size_t i = 0; i < site_count; i++) {
        const struct site *site = &sites[i];
        if ((uintptr_t)site->place != STOPPED_AT(context)) continue;
        CHECK(event_count < EVENTS);
        struct event *event = &events[event_count++];
        event->name = site->name;
        for (int j = 0; j < site->arguments; j++) {
            uint64_t value = register_of(context, site->registers[j]);
            event->arguments[j] = site->bytes[j] == 4 ? (uint32_t)value : value;
        }
        GO_ON(context);
        return;
    }
    dprintf(2, "a breakpoint that nobody set\n");
    _exit(1);
}

/* The file that malloc's code lies in, and by how much it was moved; of a static program its own. */
struct module {
    uintptr_t bias;
    char path[4096];
};

static int finds_malloc(struct dl_phdr_info *info, size_t size, void *found) {
    struct module *module = found;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t offset = (uintptr_t)malloc - info->dlpi_addr - segment->p_vaddr;
        if (segment->p_type != PT_LOAD || offset >= segment->p_memsz) continue;
        const char *name = info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";
        CHECK(strlen(name) < sizeof module->path);
        strcpy(module->path, name);
        module->bias = info->dlpi_addr;
        return 1;
    }
    return 0;
}

static const ElfW(Shdr) * section(const char *file, const char *name) {
    const ElfW(Ehdr) *header = (const void *)file;
    const ElfW(Shdr) *all = (const void *)(file + header->e_shoff);
    const char *names = file + all[header->e_shstrndx].sh_offset;
    for (int i = 0; i < header->e_shnum; i++)
        if (strcmp(names + all[i].sh_name, name) == 0) return &all[i];
    return NULL;
}

/* Whether it is an address of code, in a segment that is moved as the section is: perf takes that for granted. */
static int is_code(const char *file, uintptr_t address, const ElfW(Shdr) * base) {
    const ElfW(Ehdr) *header = (const void *)file;
    const ElfW(Phdr) *all = (const void *)(file + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++)
        if (all[i].p_type == PT_LOAD && address - all[i].p_vaddr < all[i].p_filesz)
            return (all[i].p_flags & PF_X) != 0 && all[i].p_vaddr - all[i].p_offset == base->sh_addr - base->sh_offset;
    return 0;
}

/* "4@%eax 8@%r12" */
static void read_arguments(struct site *site, const char *text) {
    while (*text) {
        CHECK(site->arguments < MOST_ARGUMENTS);
        char *name = site->registers[site->arguments];
        size_t length = strcspn(text + 2, " ");
        CHECK((text[0] == '4' || text[0] == '8') && text[1] == '@' && length < sizeof site->registers[0]);
        site->bytes[site->arguments++] = text[0] - '0';
        memcpy(name, text + 2, length);
        text += 2 + length;
        text += *text == ' ';
    }
}

static void find_sites(void) {
    static struct module module;
    CHECK(dl_iterate_phdr(finds_malloc, &module) == 1);
    int fd = open(module.path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    const char *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED);
    close(fd);
    const ElfW(Shdr) *notes = section(file, ".note.stapsdt"), *base = section(file, ".stapsdt.base");
    CHECK(notes != NULL && base != NULL);
    /* `strip` may leave them, and the loader does not see them. */
    CHECK((notes->sh_flags & SHF_ALLOC) == 0 && (base->sh_flags & SHF_ALLOC) != 0);
    const char *end = file + notes->sh_offset + notes->sh_size;
    for (const char *at = file + notes->sh_offset; at < end;) {
        const ElfW(Nhdr) *note = (const void *)at;
        const char *owner = at + sizeof *note, *description = owner + ((note->n_namesz + 3) & ~3u);
        at = description + ((note->n_descsz + 3) & ~3u);
        CHECK(note->n_type == 3 && strcmp(owner, "stapsdt") == 0);
        uint64_t words[3];
        memcpy(words, description, sizeof words);
        const char *provider = description + sizeof words, *name = provider + strlen(provider) + 1;
        const char *arguments = name + strlen(name) + 1;
        CHECK(arguments + strlen(arguments) + 1 == description + note->n_descsz);
        /* A static program has the C library's as well. */
        if (strcmp(provider, "slubmalloc") != 0) continue;
        CHECK(site_count < SITES);
        struct site *site = &sites[site_count++];
        CHECK_AT(words[1] == base->sh_addr && words[2] == 0, site_count);
        CHECK_AT(is_code(file, words[0], base), site_count);
        site->name = name;
        site->place = (instruction *)(words[0] + module.bias);
        CHECK_AT(*site->place == NOP, site_count);
        read_arguments(site, arguments);
    }
}

static void set_breakpoints(void) {
    struct sigaction action = {.sa_sigaction = stopped, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < site_count; i++) {
        instruction *place = sites[i].place;
        void *start = (void *)((uintptr_t)place & ~(page - 1));
        /* The call may return to this very page. */
        CHECK(mprotect(start, page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
        *place = (instruction)BREAKPOINT;
        __builtin___clear_cache((char *)place, (char *)(place + 1));
    }
}

static int is_event(const struct event *event, const char *name) { return strcmp(event->name, name) == 0; }

/* How many there were of these, with this first argument; the last of them. */
static size_t count_of(const char *name, uint64_t first, struct event *last) {
    size_t count = 0;
    for (size_t i = 0; i < event_count; i++) {
        if (!is_event(&events[i], name) || events[i].arguments[0] != first) continue;
        count++;
        if (last) *last = events[i];
    }
    return count;
}

static uint64_t sum_of(const char *name, int argument, int by_class, uint64_t class_bytes) {
    uint64_t sum = 0;
    for (size_t i = 0; i < event_count; i++)
        if (is_event(&events[i], name) && (!by_class || events[i].arguments[0] == class_bytes))
            sum += events[i].arguments[argument];
    return sum;
}

/* A size of which nobody else has an object. */
static void objects_come_from_slabs_and_go_back(void) {
    static char *blocks[BLOCKS];
    event_count = 0;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(39000);
        CHECK_AT(blocks[i] != NULL, i);
        memset(blocks[i], 1, 39000);
    }
    uint64_t class_bytes = malloc_usable_size(blocks[0]);
    CHECK(sum_of("refill", 1, 1, class_bytes) >= BLOCKS && sum_of("refill", 2, 1, class_bytes) >= BLOCKS);
    for (size_t i = 0; i < event_count; i++)
        if (is_event(&events[i], "refill")) CHECK_AT(events[i].arguments[2] <= events[i].arguments[1], i);
    /* Each lies in a slab that was made for it. */
    for (int i = 0; i < BLOCKS; i++) {
        int found = 0;
        for (size_t j = 0; j < event_count; j++)
            found += is_event(&events[j], "slab_new") && events[j].arguments[0] == class_bytes &&
                     (uintptr_t)blocks[i] - events[j].arguments[1] < 512 * KIB;
        CHECK_AT(found >= 1, i);
    }
    CHECK(count_of("slab_free", class_bytes, NULL) == 0 && sum_of("flush", 1, 1, class_bytes) == 0);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    malloc_trim(0);
    CHECK(sum_of("flush", 1, 1, class_bytes) == sum_of("refill", 2, 1, class_bytes));
    CHECK(count_of("slab_free", class_bytes, NULL) == count_of("slab_new", class_bytes, NULL));
    for (size_t i = 0; i < event_count; i++) {
        if (!is_event(&events[i], "slab_new") || events[i].arguments[0] != class_bytes) continue;
        size_t freed = 0;
        for (size_t j = i; j < event_count; j++)
            freed += is_event(&events[j], "slab_free") && events[j].arguments[1] == events[i].arguments[1];
        CHECK_AT(freed >= 1 && events[i].arguments[1] % (64 * KIB) == 0, i);
    }
    /* All of them were written to. */
    CHECK(sum_of("purge", 0, 0, 0) >= BLOCKS * (uint64_t)39000);
}

static void large_blocks_come_from_arenas(void) {
    struct event event;
    event_count = 0;
    char *block = malloc(300001);
    CHECK(count_of("large_alloc", (uintptr_t)block, &event) == 1 && event.arguments[1] == 300001);
    CHECK(count_of("large_free", (uintptr_t)block, NULL) == 0);
    free(block);
    malloc_trim(0);
    CHECK(count_of("large_free", (uintptr_t)block, NULL) == 1);
}

static void huge_blocks_are_mappings(void) {
    struct event event;
    event_count = 0;
    char *block = malloc(10 * MIB);
    memset(block, 1, 10 * MIB);
    CHECK(count_of("huge_map", (uintptr_t)block, &event) == 1);
    CHECK(event.arguments[1] >= 10 * MIB && event.arguments[1] <= 11 * MIB);
    uint64_t bytes = event.arguments[1];
    char *longer = realloc(block, 30 * MIB);
    CHECK(count_of("huge_remap", (uintptr_t)block, &event) == 1 && event.arguments[1] == bytes);
    CHECK(event.arguments[2] == (uintptr_t)longer && event.arguments[3] >= 30 * MIB);
    free(longer);
    malloc_trim(0);
    uint64_t mapped = sum_of("huge_map", 1, 0, 0) + sum_of("huge_remap", 3, 0, 0);
    CHECK(mapped == sum_of("huge_unmap", 1, 0, 0) + sum_of("huge_remap", 1, 0, 0));
    CHECK(sum_of("purge", 0, 0, 0) >= 10 * MIB);
}

static void what_the_system_has_not_is_told(void) {
    event_count = 0;
    CHECK(malloc((size_t)1 << 48) == NULL && count_of("oom", (uint64_t)1 << 48, NULL) == 1);
    CHECK(malloc(SIZE_MAX / 2) == NULL && count_of("oom", SIZE_MAX / 2, NULL) == 1);
    CHECK(sum_of("limit", 0, 0, 0) == 0);
}

/* Pools have limits of their own. */
static void what_a_pool_may_not_is_told(void) {
    struct event event;
    struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
    options.limit = 1 * MIB;
    event_count = 0;
    struct slub_pool *pool = slub_pool_create(&options);
    CHECK(pool != NULL && slub_pool_malloc(pool, 1000) != NULL && sum_of("limit", 0, 0, 0) == 0);
    CHECK(slub_pool_malloc(pool, 2 * MIB) == NULL);
    CHECK(count_of("limit", 2 * MIB, &event) == 1 && event.arguments[1] == 1 * MIB);
    CHECK(sum_of("oom", 0, 0, 0) == 0);
}

static void what_the_limit_forbids_is_told(void) {
    struct event event;
    event_count = 0;
    CHECK(malloc(100 * MIB) == NULL);
    CHECK(count_of("limit", 100 * MIB, &event) == 1 && event.arguments[1] == 64 * MIB);
    CHECK(sum_of("oom", 0, 0, 0) == 0);
}

static void samples_are_blocks(void) {
    struct event event;
    /* The process's first block comes before the profile. */
    free(escape(malloc(1)));
    event_count = 0;
    char *small = malloc(1000), *huge = malloc(5 * MIB);
    CHECK(count_of("sample", (uintptr_t)small, &event) == 1 && event.arguments[1] == 1000);
    CHECK(count_of("sample", (uintptr_t)huge, &event) == 1 && event.arguments[1] == 5 * MIB);
}

int main(int argc, char **argv) {
    find_sites();
    CHECK(site_count > 0);
    set_breakpoints();
    if (argc > 1 && strcmp(argv[1], "limited") == 0) {
        what_the_limit_forbids_is_told();
        return done();
    }
    if (argc > 1 && strcmp(argv[1], "profiled") == 0) {
        samples_are_blocks();
        return done();
    }
    objects_come_from_slabs_and_go_back();
    large_blocks_come_from_arenas();
    huge_blocks_are_mappings();
    what_the_system_has_not_is_told();
    what_a_pool_may_not_is_told();
    return done();
}
