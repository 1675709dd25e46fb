//! What a thread cache does when a fast path gives up: exchange sheaves with the barn, refill
//! from the slabs, flush to them, return remote objects to their nodes.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::first::{is_small, retire};
use super::room::{may_have_spare, most};
use super::{Binding, ThreadCache, sizing};
use crate::heap::{Home, Node};
use crate::report::{Violation, report_violation};
use crate::slab::{Barn, CacheNode, Kind, Object, Request, Sheaf, class};
use crate::sync::Guard;
use crate::units::{ClassId, ClusterId, MIN_ALIGN};

impl ThreadCache {
    /// A block for a request, from wherever it has to come.
    #[cold]
    #[inline(never)]
    pub(crate) fn alloc_slow(&self, binding: Binding, request: &Request) -> Option<Object> {
        let binding = self.rehome(binding);
        let Kind::Small(own) = request.kind() else {
            return self.alloc_span(binding, request);
        };
        let mut id = own;
        if request.align() <= MIN_ALIGN {
            id = self.serving(own);
        }
        let object = self
            .take(id)
            .or_else(|| self.refill_or_drain(binding, self.serving_anew(binding, own, id)))?;
        Some(request.clear(object))
    }

    /// A block above the slabs' largest: a span that waits here, or whatever the heap has.
    // Not one with `alloc_slow`: what the heap calls needs nearly all of the stack that is allowed, so these end in tail calls.
    fn alloc_span(&self, binding: Binding, request: &Request) -> Option<Object> {
        let waiting = match request.kind() {
            Kind::Large { class, .. } if class != ClassId::NONE => {
                let _busy = self.busy.lock();
                self.reattach(class);
                self.set(&self.refilled, class, 1);
                self.take(class)
            }
            _ => None,
        };
        match waiting {
            Some(object) => Some(request.clear(object)),
            None => self.alloc_large(binding, request),
        }
    }

    fn alloc_large(&self, binding: Binding, request: &Request) -> Option<Object> {
        let heap = binding.heap;
        heap.take_large(binding.home, request).or_else(|| {
            if !heap.pressure_helps(request) {
                return None;
            }
            self.drain();
            heap.take_under_pressure(binding.home, request)
        })
    }

    /// Fills the main sheaf, if need be after this cache and the barns have given up theirs.
    fn refill_or_drain(&self, binding: Binding, id: ClassId) -> Option<Object> {
        let slab = class::info(id).slab_bytes();
        let heap = binding.heap;
        let refill = || heap.take_within(slab, || self.refill(binding, id));
        refill().or_else(|| {
            self.drain();
            heap.take_small_under_pressure(refill)
        })
    }

    /// Takes back a block that the fast path did not take.
    #[cold]
    #[inline(never)]
    pub(crate) fn free_slow(&self, binding: Binding, block: Object) {
        self.check_cluster(binding);
        let address = block.as_ptr() as usize;
        match binding.heap.locate(address) {
            Home::Slab {
                node,
                class,
                is_start: true,
            } if core::ptr::eq(node, binding.home) => {
                let _busy = self.busy.lock();
                self.reattach(class);
                if self.bin(class).is_near_top(block) {
                    return report_violation(
                        Violation::DoubleFree,
                        address,
                        binding.heap.context(address),
                    );
                }
                self.refresh_home();
                let bin = self.bin(class);
                let is_in = bin.push(block.as_ptr())
                    || self.make_room(binding, class, block) && bin.push(block.as_ptr());
                if !is_in {
                    binding.heap.give(block);
                }
            }
            Home::Slab {
                node,
                class,
                is_start: true,
            } => self.send_home(binding, node, class, block),
            Home::Page { is_start: true, .. } | Home::Sampled { is_start: true, .. } => {
                binding.heap.give(block);
            }
            Home::Outside => binding.heap.give_huge(address),
            _ => binding.heap.misplaced(address),
        }
    }

    /// Has the cache's thread, the caller, take the slow path for each object, or as usual again.
    pub(crate) fn await_thread(&self, is_awaited: bool) {
        self.is_awaited.store(u32::from(is_awaited), Relaxed);
    }

    /// Fills the main sheaf of a class and takes an object from it.
    fn refill(&self, binding: Binding, id: ClassId) -> Option<Object> {
        let _busy = self.busy.lock();
        let bin = self.bin(id);
        let capacity = sizing::capacity(id);
        self.reattach(id);
        if bin.main_count() > 0 {
            return bin.take();
        }
        self.set(&self.refilled, id, 1);
        if bin.swap_for_objects(self.spare(id), capacity) {
            return bin.take();
        }
        let wanted = match self.is_awaited.load(Relaxed) {
            0 => sizing::refill(id, self.get(&self.refills, id)),
            _ => 1,
        };
        let is_full_size = bin.has_main() && !is_small(bin, id);
        let (most, is_much) = (most(binding, id), wanted > sizing::FIRST_CAPACITY);
        let mut cache_node = None;
        if is_full_size || is_much && most == capacity {
            let mut locked = self.cache_node(binding, id).lock();
            if self.take_full(binding, id, &mut locked.barn) {
                return bin.take();
            }
            // What makes a sheaf ready takes locks of its own. This one is.
            cache_node = is_full_size.then_some(locked);
        }
        let room = sizing::step(wanted, most);
        let ready = if is_much && bin.capacity() < room {
            self.enlarge(binding, id, room)
        } else {
            bin.has_main() || self.open_first(binding, id)
        };
        if !ready {
            return binding.heap.take_object(binding.home, id);
        }
        let (room, mut sheaf) = (bin.capacity(), bin.close()?);
        let wanted = wanted.min(room);
        let cache_node = cache_node.unwrap_or_else(|| self.cache_node(binding, id).lock());
        let mut got = self.fetch(cache_node, binding, id, &mut sheaf, wanted);
        let cluster = self.cluster();
        binding
            .heap
            .note_slabs(binding.home, binding.home, cluster, id);
        if got == 0 {
            got = fill_from_afar(binding, cluster, id, &mut sheaf, wanted);
        }
        self.set(&self.refills, id, got);
        bin.open(sheaf, room);
        // The slab tables may have grown.
        self.refresh_home();
        bin.take()
    }

    /// Moves up to `wanted` objects into a sheaf, from the barn if they are few, else from the slabs.
    fn fetch(
        &self,
        mut cache_node: Guard<'static, CacheNode>,
        binding: Binding,
        id: ClassId,
        sheaf: &mut Sheaf,
        wanted: usize,
    ) -> usize {
        if wanted <= sizing::FIRST_CAPACITY || most(binding, id) < sizing::capacity(id) {
            let few = cache_node.barn.take_few(sheaf, wanted);
            if few > 0 {
                return few;
            }
        }
        binding
            .home
            .fill_from(cache_node, self.cluster(), id, sheaf, wanted)
    }

    /// Exchanges the empty main sheaf, if there is one, for a full one; `false` if the barn has none.
    fn take_full(&self, binding: Binding, id: ClassId, barn: &mut Barn) -> bool {
        let bin = self.bin(id);
        let Some(full) = barn.take_full() else {
            return false;
        };
        let (is_small, room) = (is_small(bin, id), bin.capacity());
        match bin.close() {
            Some(empty) if is_small => retire(binding, empty, room),
            Some(empty) => barn.put_empty(empty),
            None => {}
        }
        bin.open(full, sizing::capacity(id));
        true
    }

    /// Makes room on the main sheaf of a class for an object; `false` where there is no memory for a sheaf.
    fn make_room(&self, binding: Binding, id: ClassId, object: Object) -> bool {
        let bin = self.bin(id);
        let capacity = sizing::capacity(id);
        if class::is_span(id) {
            return !bin.has_main() && self.open_first(binding, id);
        }
        if !bin.has_main() {
            return self.open_first(binding, id);
        }
        if is_small(bin, id) {
            let most = most(binding, id);
            return if bin.capacity() < most {
                self.enlarge(binding, id, sizing::step(bin.capacity() + 1, most))
            } else {
                self.share(binding, id)
            };
        }
        if bin.swap_for_room(self.spare(id), capacity) {
            return true;
        }
        let cluster = self.origin(binding, id, object);
        let mut cache_node = binding.home.cache_node(cluster, id).lock();
        let mut empty = cache_node.barn.take_empty();
        if empty.is_none() {
            // Memory for it may have to be committed.
            drop(cache_node);
            empty = binding.home.metadata().new_sheaf(sizing::bytes(id));
            cache_node = binding.home.cache_node(cluster, id).lock();
        }
        let Some(mut full) = bin.close() else {
            return false;
        };
        let Some(empty) = empty else {
            binding
                .heap
                .flush_with(cache_node, binding.home, cluster, id, &mut full);
            bin.open(full, capacity);
            return true;
        };
        let spare = self.spare(id);
        if !spare.is_some() && may_have_spare(binding, id) {
            spare.put(full);
            bin.open(empty, capacity);
            return true;
        }
        let most = binding.barn_places(id);
        let Some(mut oldest) = cache_node.barn.put_full(full, most) else {
            bin.open(empty, capacity);
            return true;
        };
        cache_node.barn.put_empty(empty);
        let is_nearly_free = cache_node.is_nearly_free(id, capacity);
        binding
            .heap
            .flush_with(cache_node, binding.home, cluster, id, &mut oldest);
        bin.open(oldest, capacity);
        if is_nearly_free {
            self.detach_own();
        }
        true
    }
}

/// Fills a sheaf from the nearest node that has memory left.
#[cold]
fn fill_from_afar(
    binding: Binding,
    cluster: ClusterId,
    id: ClassId,
    sheaf: &mut Sheaf,
    wanted: usize,
) -> usize {
    let mut nodes = binding.heap.nearest_first(binding.home);
    let fill = |node: &'static Node| {
        let got = node.fill(cluster, id, sheaf, wanted);
        binding.heap.note_slabs(node, binding.home, cluster, id);
        (got > 0).then_some(got)
    };
    nodes.find_map(fill).unwrap_or(0)
}
