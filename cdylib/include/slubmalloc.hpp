/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * slubmalloc for C++17 and later: pools as memory resources, an allocator for containers, caches of typed objects.
 *
 *     pool, pool_ref     a slub_pool as a std::pmr::memory_resource
 *     pool_scope         this thread's malloc() and operator new from a pool, until its end
 *     allocator<T>       for containers, from a pool or from the heap of malloc()
 *     cache<T>           a slub_kmem_cache that constructs and destroys each object
 *     kept_cache<T>      the same, whose objects stay constructed while they are free
 *
 * All is inline, over the functions of slubmalloc.h, which tell the details: a program links what it would link for C, libslubmalloc,
 * its archive, or libslubmalloc-api beside another malloc. It needs <memory_resource>, as libstdc++ 9 and libc++ 16 have it.
 *
 * Errors. Without memory, and at a limit, std::bad_alloc is thrown; what slubmalloc.h answers with another errno is a
 * std::system_error with that errno. With -fno-exceptions either one ends the process by abort(); functions whose names begin with
 * `try_` return null instead. -fno-rtti takes away one thing, see pool_ref.
 */
#ifndef SLUBMALLOC_HPP
#define SLUBMALLOC_HPP

#include "slubmalloc.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace slubmalloc {

namespace detail {

/* What any block is aligned to. */
inline constexpr std::size_t natural_alignment = 16;

template <class Error> [[noreturn]] void raise([[maybe_unused]] const Error &error) {
#ifdef __cpp_exceptions
    throw error;
#else
    std::abort();
#endif
}

/* What a function of C has refused, by errno. */
[[noreturn]] inline void raise_errno(const char *what) {
    if (errno == ENOMEM) raise(std::bad_alloc());
    raise(std::system_error(errno, std::generic_category(), what));
}

/* The handle of an object that was neither moved from nor closed: another one has EINVAL. */
template <class Handle> Handle *existing(Handle *handle) {
    if (handle == nullptr) raise(std::system_error(EINVAL, std::generic_category(), "no pool or cache"));
    return handle;
}

inline void *block_or_raise(void *block) {
    if (block == nullptr) raise(std::bad_alloc());
    return block;
}

/* Whether slub_kmalloc() aligns a block of `bytes` as it is asked for. */
inline bool is_aligned_by_size(std::size_t bytes, std::size_t align) noexcept {
    return (bytes & (bytes - 1)) == 0 && bytes >= align && bytes <= (std::size_t{4} << 20);
}

/* A block of malloc's heap, of which `usable` bytes may be used; null without memory. Another library's aligned_alloc() may be the process's. */
inline void *heap_allocate(std::size_t bytes, std::size_t align, std::size_t &usable) noexcept {
    if (align <= natural_alignment) return slubmalloc_alloc_at_least(bytes, &usable);
    usable = bytes;
    if (is_aligned_by_size(bytes, align)) return slub_kmalloc(bytes, SLUB_GFP_KERNEL);
    std::size_t whole = 0;
    if (bytes > SIZE_MAX - align) return nullptr;
    void *block = slubmalloc_alloc_at_least(bytes + align, &whole);
    if (block == nullptr) return nullptr;
    /* 16 bytes at least are left before it, for where the block begins. */
    auto address = reinterpret_cast<std::uintptr_t>(block);
    char *start = static_cast<char *>(block) + (align - address % align);
    reinterpret_cast<void **>(start)[-1] = block;
    return start;
}

inline void heap_deallocate(void *start, std::size_t bytes, std::size_t align) noexcept {
    bool is_block = start == nullptr || align <= natural_alignment || is_aligned_by_size(bytes, align);
    slub_free(is_block ? start : static_cast<void **>(start)[-1]);
}

/* Constructs an object in memory that is given back if the constructor throws. */
template <class T, class GiveBack, class... Arguments>
T *construct(void *memory, GiveBack give_back, Arguments &&...arguments) {
    struct guard_type {
        void *memory;
        GiveBack &give_back;
        ~guard_type() {
            if (memory != nullptr) give_back(memory);
        }
    } guard{memory, give_back};
    T *object;
    if constexpr (std::is_constructible_v<T, Arguments...>) {
        object = ::new (memory) T(std::forward<Arguments>(arguments)...);
    } else {
        object = ::new (memory) T{std::forward<Arguments>(arguments)...};
    }
    guard.memory = nullptr;
    return object;
}

} // namespace detail

/*
 * A pool that somebody else owns, or the C function slub_pool_create() made: allocates from it, and does not end it. Copies are of the same
 * pool, and equal as memory resources: what one has allocated the other may deallocate. With -fno-rtti a resource is equal only to itself.
 *
 * Threads may use it at the same time, unless the pool is for one thread.
 */
class pool_ref : public std::pmr::memory_resource {
public:
    explicit pool_ref(slub_pool *handle) noexcept : handle_(handle) {}
    pool_ref(const pool_ref &) noexcept = default;
    pool_ref &operator=(const pool_ref &) noexcept = default;
    ~pool_ref() override = default;

    /* For the functions of slubmalloc.h; null of a pool that was moved from, or released. */
    slub_pool *handle() const noexcept { return handle_; }

    /* Bytes in use, as slub_pool_used(). */
    std::size_t used() const noexcept { return handle_ == nullptr ? 0 : slub_pool_used(handle_); }

private:
    friend class pool;
    slub_pool *handle_;

    void *do_allocate(std::size_t bytes, std::size_t align) override {
        if (handle_ == nullptr) detail::raise(std::bad_alloc());
        return detail::block_or_raise(align <= detail::natural_alignment
                                          ? slub_pool_malloc(handle_, bytes)
                                          : slub_pool_aligned_alloc(handle_, align, bytes));
    }

    void do_deallocate(void *block, std::size_t, std::size_t) override {
        if (handle_ != nullptr) {
            slub_pool_free(handle_, block);
        } else {
            slub_free(block);
        }
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
#ifdef __cpp_rtti
        auto *ref = dynamic_cast<const pool_ref *>(&other);
        return ref != nullptr && ref->handle_ == handle_;
#else
        return &other == this;
#endif
    }
};

/* What may be said of a pool: see slub_pool_options. */
struct pool_options {
    const char *name = nullptr;
    std::size_t limit = 0;
    /* handle() of a pool whose limit counts as well. */
    slub_pool *parent = nullptr;
    int node = -1;
    /* Only one thread at a time uses the pool and frees its blocks, without locks. */
    bool single_thread = false;
};

/*
 * A pool of its own. At its end all blocks go at once, and no destructor runs: objects in it that have something elsewhere are to be destroyed
 * before. Where slub_pool_destroy() refuses that with EBUSY, as of a pool that was ever pushed, the pool is released: blocks stay until each is
 * freed.
 *
 * It can be moved. What has the handle, as allocator<T> and pool_ref do, goes on with the pool. What has the address of the object, as
 * std::pmr containers do, stays with the object that was moved from: that takes blocks back and allocates nothing.
 */
class pool final : public pool_ref {
public:
    pool() : pool(pool_options{}) {}
    explicit pool(const pool_options &options) : pool_ref(nullptr) {
        slub_pool_options all = SLUB_POOL_OPTIONS_INIT;
        all.name = options.name;
        all.limit = options.limit;
        all.parent = options.parent;
        all.node = options.node;
        all.flags = options.single_thread ? SLUB_POOL_SINGLE_THREAD : 0;
        handle_ = slub_pool_create(&all);
        if (handle_ == nullptr) detail::raise_errno("slub_pool_create");
    }
    pool(pool &&other) noexcept : pool_ref(std::exchange(other.handle_, nullptr)) {}
    pool &operator=(pool &&other) noexcept {
        if (this != &other) {
            end();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    ~pool() override { end(); }

    /* Frees all blocks, which nobody uses any more. The pool stays. If it was ever pushed, `flags` has to be SLUB_POOL_FORCE. */
    void reset(unsigned flags = 0) {
        if (slub_pool_reset(detail::existing(handle_), flags) != 0) detail::raise_errno("slub_pool_reset");
    }

    /*
     * Ends the pool; its blocks stay until each is freed: through this object, or with slub_free(), but not by an allocator<T>. This is
     * slub_pool_release(); what std::pmr::monotonic_buffer_resource calls release() is reset() here.
     */
    void release() {
        if (slub_pool_release(handle_) != 0) detail::raise_errno("slub_pool_release");
        handle_ = nullptr;
    }

    /* At most `bytes` from now on; 0 is no limit. */
    void set_limit(std::size_t bytes) {
        if (slub_pool_set_limit(detail::existing(handle_), bytes) != 0) detail::raise_errno("slub_pool_set_limit");
    }

private:
    void end() noexcept {
        if (handle_ != nullptr && slub_pool_destroy(handle_, 0) != 0) slub_pool_release(handle_);
    }
};

/*
 * A slub_pool_push() until the end of its block, in the thread that it was made in. It ends before its pool does, and after any that was made
 * later. allocator<T> without a pool takes from the scope's, too, and frees what it has anywhere.
 */
class pool_scope {
public:
    explicit pool_scope(const pool_ref &pool) : handle_(detail::existing(pool.handle())) {
        if (slub_pool_push(handle_) != 0) detail::raise_errno("slub_pool_push");
    }
    pool_scope(const pool_scope &) = delete;
    pool_scope &operator=(const pool_scope &) = delete;
    ~pool_scope() { slub_pool_pop(handle_); }

private:
    slub_pool *handle_;
};

/* What allocate_at_least() returns: C++23's std::allocation_result where the library has it. */
#ifdef __cpp_lib_allocate_at_least
template <class T> using allocation_result = std::allocation_result<T *>;
#else
template <class T> struct allocation_result {
    T *ptr;
    std::size_t count;
};
#endif

/*
 * An allocator for containers: from a pool, or by default from the heap of malloc(), which is this library's also where malloc() is not.
 *
 * A container stays with its pool: assigning to it, also by a move, changes its contents only; a copy of it is in the same pool. swap()
 * exchanges the pools as well. Containers end before their pool does, or are not destroyed at all.
 */
template <class T> class allocator {
public:
    using value_type = T;
    using is_always_equal = std::false_type;
    using propagate_on_container_copy_assignment = std::false_type;
    using propagate_on_container_move_assignment = std::false_type;
    using propagate_on_container_swap = std::true_type;

    allocator() noexcept = default;
    /* Without a handle, of a pool that was moved from or released, it is the heap of malloc(). */
    allocator(const pool_ref &pool) noexcept : pool_(pool.handle()) {}
    explicit allocator(slub_pool *pool) noexcept : pool_(pool) {}
    template <class U> allocator(const allocator<U> &other) noexcept : pool_(other.pool()) {}

    /* Null is the heap of malloc(). */
    slub_pool *pool() const noexcept { return pool_; }

    [[nodiscard]] T *allocate(std::size_t count) {
        std::size_t usable = 0;
        return static_cast<T *>(take(count, usable));
    }

    /* At least `count`: as many as the block has room for. */
    [[nodiscard]] allocation_result<T> allocate_at_least(std::size_t count) {
        std::size_t usable = 0;
        void *block = take(count, usable);
        if (pool_ != nullptr) usable = slub_usable_size(block);
        return {static_cast<T *>(block), usable / sizeof(T)};
    }

    void deallocate(T *block, std::size_t count) noexcept {
        if (pool_ != nullptr) {
            slub_pool_free(pool_, block);
        } else {
            detail::heap_deallocate(block, count * sizeof(T), alignof(T));
        }
    }

    template <class U> friend bool operator==(const allocator &one, const allocator<U> &other) noexcept {
        return one.pool() == other.pool();
    }
#if __cplusplus < 202002L
    template <class U> friend bool operator!=(const allocator &one, const allocator<U> &other) noexcept {
        return one.pool() != other.pool();
    }
#endif

private:
    slub_pool *pool_ = nullptr;

    void *take(std::size_t count, std::size_t &usable) {
        if (count > SIZE_MAX / sizeof(T)) detail::raise(std::bad_array_new_length());
        std::size_t bytes = count * sizeof(T);
        if (pool_ == nullptr) return detail::block_or_raise(detail::heap_allocate(bytes, alignof(T), usable));
        return detail::block_or_raise(alignof(T) <= detail::natural_alignment
                                          ? slub_pool_malloc(pool_, bytes)
                                          : slub_pool_aligned_alloc(pool_, alignof(T), bytes));
    }
};

/* What may be said of a cache: see slub_kmem_cache_create() and slub_kmem_cache_args. */
struct cache_options {
    /* Objects; 0 is no limit. */
    std::size_t limit = 0;
    /* SLUB_HWCACHE_ALIGN and others. */
    unsigned flags = 0;
    /* More than alignof(T). */
    unsigned align = 0;
    unsigned sheaf_capacity = 0;
};

namespace detail {

/* What cache<T> and kept_cache<T> share. */
template <class T> class cache_base {
    static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>, "objects, one at a time");
    static_assert(std::is_nothrow_destructible_v<T>, "a destructor must not throw");
    static_assert(sizeof(T) <= 49152, "objects of a cache have at most 48 KiB");

public:
    cache_base(const cache_base &) = delete;
    cache_base &operator=(const cache_base &) = delete;

    /* For the functions of slubmalloc.h; null of a cache that was moved from, or closed. */
    slub_kmem_cache *handle() const noexcept { return handle_; }

    /* Objects that the program holds. */
    std::size_t used() const noexcept { return handle_ == nullptr ? 0 : slub_kmem_cache_used(handle_); }

    /* At most `objects` from now on; (size_t)-1 is no limit. */
    void set_limit(std::size_t objects) {
        if (slub_kmem_cache_set_limit(existing(handle_), objects) != 0) raise_errno("slub_kmem_cache_set_limit");
    }

    /* Gives memory of free objects back, as slub_kmem_cache_shrink(). */
    void shrink() noexcept {
        if (handle_ != nullptr) slub_kmem_cache_shrink(handle_);
    }

    /* Ends the cache; false, and all stays as it is, while objects of it are in use, which a line on standard error tells. */
    bool close() noexcept {
        if (slub_kmem_cache_destroy(handle_) != 0) return false;
        handle_ = nullptr;
        return true;
    }

protected:
    cache_base(const char *name, const cache_options &options, void (*ctor)(void *), void (*dtor)(void *)) {
        slub_kmem_cache_args args{};
        args.size = sizeof args;
        args.align = options.align > alignof(T) ? options.align : alignof(T);
        args.sheaf_capacity = options.sheaf_capacity;
        args.ctor = ctor;
        args.dtor = dtor;
        args.limit = options.limit;
        handle_ = slub_kmem_cache_create_args(name, sizeof(T), &args, options.flags);
        if (handle_ == nullptr) raise_errno("slub_kmem_cache_create_args");
    }
    cache_base(cache_base &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    cache_base &operator=(cache_base &&other) noexcept {
        if (this != &other) {
            close();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    ~cache_base() { close(); }

    void *allocate() const noexcept { return handle_ == nullptr ? nullptr : slub_kmem_cache_alloc(handle_, SLUB_GFP_KERNEL); }

    slub_kmem_cache *handle_;
};

} // namespace detail

/*
 * A cache whose objects are constructed when they are made, and destroyed when they are freed. Threads may use it at the same time.
 *
 * At its end no object should be in use. If one is, a line on standard error says so, and the cache stays without this object: pointers
 * remain valid, and a `unique` frees what it has. The same holds for a cache that another one is moved to. One that was moved from may
 * be assigned to, and destroyed.
 */
template <class T> class cache : public detail::cache_base<T> {
public:
    explicit cache(const char *name, const cache_options &options = {})
        : detail::cache_base<T>(name, options, nullptr, nullptr) {}
    cache(cache &&) noexcept = default;
    cache &operator=(cache &&) noexcept = default;

    /* An object, constructed with these arguments. What its constructor throws is passed on, and the memory given back. */
    template <class... Arguments> [[nodiscard]] T *make(Arguments &&...arguments) {
        return construct(detail::block_or_raise(this->allocate()), std::forward<Arguments>(arguments)...);
    }

    /* The same; null without memory and at the limit. */
    template <class... Arguments> [[nodiscard]] T *try_make(Arguments &&...arguments) {
        void *memory = this->allocate();
        return memory == nullptr ? nullptr : construct(memory, std::forward<Arguments>(arguments)...);
    }

    /* Destroys an object of this cache; null is ignored. */
    void destroy(T *object) noexcept { deleter{this->handle_}(object); }

    struct deleter {
        slub_kmem_cache *handle = nullptr;
        void operator()(T *object) const noexcept {
            if (object == nullptr) return;
            object->~T();
            slub_kmem_cache_free(handle, object);
        }
    };
    using unique = std::unique_ptr<T, deleter>;

    /* An object that destroys itself. */
    template <class... Arguments> [[nodiscard]] unique make_unique(Arguments &&...arguments) {
        return unique(make(std::forward<Arguments>(arguments)...), deleter{this->handle_});
    }

private:
    template <class... Arguments> T *construct(void *memory, Arguments &&...arguments) {
        auto give_back = [this](void *block) noexcept { slub_kmem_cache_free(this->handle_, block); };
        return detail::construct<T>(memory, give_back, std::forward<Arguments>(arguments)...);
    }
};

/*
 * A cache whose objects stay constructed while they are free: T() runs before an object is first taken, ~T() before its memory goes, and
 * an object is taken as it was put back. So locks and buffers are made once and not for each use.
 *
 * T() runs for some objects at a time, in the thread that takes one, and cannot make that fail: it must be noexcept, and must not take an
 * object of the same cache. At the end each object is destroyed, if all have been put back; if not, none is, as with cache<T>.
 */
template <class T> class kept_cache : public detail::cache_base<T> {
    static_assert(std::is_nothrow_default_constructible_v<T>, "T() runs where nothing can be thrown: it has to be noexcept");

public:
    explicit kept_cache(const char *name, const cache_options &options = {})
        : detail::cache_base<T>(name, options, begin, std::is_trivially_destructible_v<T> ? nullptr : end) {}
    kept_cache(kept_cache &&) noexcept = default;
    kept_cache &operator=(kept_cache &&) noexcept = default;

    /* An object, as it was put back or first constructed. */
    [[nodiscard]] T *take() { return static_cast<T *>(detail::block_or_raise(this->allocate())); }

    /* The same; null without memory and at the limit. */
    [[nodiscard]] T *try_take() noexcept { return static_cast<T *>(this->allocate()); }

    /* Puts an object of this cache back; null is ignored. */
    void put(T *object) noexcept { slub_kmem_cache_free(this->handle_, object); }

    struct deleter {
        slub_kmem_cache *handle = nullptr;
        void operator()(T *object) const noexcept { slub_kmem_cache_free(handle, object); }
    };
    using unique = std::unique_ptr<T, deleter>;

    /* An object that is put back by itself. */
    [[nodiscard]] unique take_unique() { return unique(take(), deleter{this->handle_}); }

private:
    static void begin(void *memory) noexcept { ::new (memory) T(); }
    static void end(void *object) noexcept { static_cast<T *>(object)->~T(); }
};

} // namespace slubmalloc

#endif /* SLUBMALLOC_HPP */
