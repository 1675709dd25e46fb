//! Tables for the unwinder, the same on every architecture.

/// What `__slubmalloc_new_nothrow` needs to catch: three words that `throw.rs` fills, and the LSDA of
/// `catch (...)`, one call that may throw and a handler for every type.
///
/// Text for the block of assembly that the function is in: its labels are local.
macro_rules! tables {
    () => {
        concat!(
            ".pushsection .data.slubmalloc,\"aw\",%progbits\n",
            ".balign 8\n",
            ".globl __slubmalloc_catch\n",
            ".hidden __slubmalloc_catch\n",
            "__slubmalloc_catch:\n",
            ".quad 0, 0, 0\n",
            ".popsection\n",
            ".pushsection .gcc_except_table,\"a\",%progbits\n",
            ".balign 4\n",
            ".Lslub_nothrow_table:\n",
            ".byte 0xff\n",
            ".byte 0x9b\n",
            ".uleb128 .Lslub_types - .Lslub_types_from\n",
            ".Lslub_types_from:\n",
            ".byte 0x01\n",
            ".uleb128 .Lslub_calls_end - .Lslub_calls\n",
            ".Lslub_calls:\n",
            ".uleb128 .Lslub_nothrow_try - __slubmalloc_new_nothrow\n",
            ".uleb128 .Lslub_nothrow_tried - .Lslub_nothrow_try\n",
            ".uleb128 .Lslub_nothrow_caught - __slubmalloc_new_nothrow\n",
            ".uleb128 1\n",
            ".Lslub_calls_end:\n",
            ".byte 1\n",
            ".byte 0\n",
            ".balign 4\n",
            ".long 0\n",
            ".Lslub_types:\n",
            ".popsection\n"
        )
    };
}
pub(super) use tables;
