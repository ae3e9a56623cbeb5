//! Loops over limbs: in order, or over rayon's threads with the feature `parallel`.
//!
//! Every call of the closure writes its own limbs only, so results are the same bit for bit on any number of threads.
//! Slices are cut into limbs of `n` elements, the last of which may be shorter; slices zipped together end with the
//! one that has the fewest limbs.

#[cfg(feature = "parallel")]
use rayon::prelude::*;

/// The zipped chunk iterators of one loop, parallel or sequential.
macro_rules! for_each {
    ($n:expr, $f:expr, [$($mutable:ident),+], [$($shared:ident),*]) => {{
        let (n, f) = ($n, $f);
        #[cfg(feature = "parallel")]
        for_each!(@zip [$($mutable.par_chunks_mut(n),)+ $($shared.par_chunks(n),)*]
            [$($mutable,)+ $($shared,)*]).enumerate()
            .for_each(|(i, for_each!(@pattern [$($mutable,)+ $($shared,)*]))| f(i, $($mutable,)+ $($shared),*));
        #[cfg(not(feature = "parallel"))]
        for_each!(@zip [$($mutable.chunks_mut(n),)+ $($shared.chunks(n),)*]
            [$($mutable,)+ $($shared,)*]).enumerate()
            .for_each(|(i, for_each!(@pattern [$($mutable,)+ $($shared,)*]))| f(i, $($mutable,)+ $($shared),*));
    }};
    (@zip [$a:expr,] $names:tt) => { $a };
    (@zip [$a:expr, $b:expr,] $names:tt) => { $a.zip($b) };
    (@zip [$a:expr, $b:expr, $c:expr,] $names:tt) => { $a.zip($b).zip($c) };
    (@zip [$a:expr, $b:expr, $c:expr, $d:expr,] $names:tt) => { $a.zip($b).zip($c).zip($d) };
    (@pattern [$a:ident,]) => { $a };
    (@pattern [$a:ident, $b:ident,]) => { ($a, $b) };
    (@pattern [$a:ident, $b:ident, $c:ident,]) => { (($a, $b), $c) };
    (@pattern [$a:ident, $b:ident, $c:ident, $d:ident,]) => { ((($a, $b), $c), $d) };
}

/// How many threads the loops of this module run on.
pub fn threads() -> usize {
    #[cfg(feature = "parallel")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "parallel"))]
    1
}

/// Words that one thread copies at a time.
const COPIED: usize = 1 << 15;

/// dst = src, equally long: one thread alone does not copy as fast as memory gives and takes.
pub fn copy<T: Copy + Send + Sync>(dst: &mut [T], src: &[T]) {
    debug_assert!(dst.len() == src.len());
    for_each_limb_2(dst, src, COPIED, |_, dst, src| dst.copy_from_slice(src));
}

/// f(i, limb i) for every limb of `data`.
pub fn for_each_limb<T: Send>(data: &mut [T], n: usize, f: impl Fn(usize, &mut [T]) + Send + Sync) {
    for_each!(n, f, [data], []);
}

/// The first limb of `data` that f(i, limb i) holds for.
pub fn find_limb<T: Sync>(
    data: &[T],
    n: usize,
    f: impl Fn(usize, &[T]) -> bool + Send + Sync,
) -> Option<usize> {
    #[cfg(feature = "parallel")]
    return data
        .par_chunks(n)
        .enumerate()
        .position_first(|(i, limb)| f(i, limb));
    #[cfg(not(feature = "parallel"))]
    data.chunks(n).enumerate().position(|(i, limb)| f(i, limb))
}

/// f(i, limb i of dst, limb i of a).
pub fn for_each_limb_2<T: Send, A: Sync>(
    dst: &mut [T],
    a: &[A],
    n: usize,
    f: impl Fn(usize, &mut [T], &[A]) + Send + Sync,
) {
    for_each!(n, f, [dst], [a]);
}

/// f(i, limb i of dst, limb i of a, limb i of b).
pub fn for_each_limb_3<T: Send, A: Sync, B: Sync>(
    dst: &mut [T],
    a: &[A],
    b: &[B],
    n: usize,
    f: impl Fn(usize, &mut [T], &[A], &[B]) + Send + Sync,
) {
    for_each!(n, f, [dst], [a, b]);
}

/// f(i, limb i of dst, limb i of a, limb i of b, limb i of c).
pub fn for_each_limb_4<T: Send, A: Sync, B: Sync, C: Sync>(
    dst: &mut [T],
    a: &[A],
    b: &[B],
    c: &[C],
    n: usize,
    f: impl Fn(usize, &mut [T], &[A], &[B], &[C]) + Send + Sync,
) {
    for_each!(n, f, [dst], [a, b, c]);
}

/// f(i, limb i of dst0, limb i of dst1): two results at once.
pub fn for_each_limb_pair<T: Send, U: Send>(
    dst0: &mut [T],
    dst1: &mut [U],
    n: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Send + Sync,
) {
    for_each!(n, f, [dst0, dst1], []);
}

/// f(i, limb i of dst0, limb i of dst1, limb i of dst2): three results at once.
pub fn for_each_limb_triple<T: Send>(
    dst0: &mut [T],
    dst1: &mut [T],
    dst2: &mut [T],
    n: usize,
    f: impl Fn(usize, &mut [T], &mut [T], &mut [T]) + Send + Sync,
) {
    for_each!(n, f, [dst0, dst1, dst2], []);
}

/// f(i, limb i of dst0, limb i of dst1, limb i of a): two results of one source.
pub fn for_each_limb_pair_2<T: Send, U: Send, A: Sync>(
    dst0: &mut [T],
    dst1: &mut [U],
    a: &[A],
    n: usize,
    f: impl Fn(usize, &mut [T], &mut [U], &[A]) + Send + Sync,
) {
    for_each!(n, f, [dst0, dst1], [a]);
}

/// f(i, chunk i of each part): three results at once, each cut into chunks of its own length.
pub fn for_each_chunk_3<T: Send>(
    [(a, len_a), (b, len_b), (c, len_c)]: [(&mut [T], usize); 3],
    f: impl Fn(usize, [&mut [T]; 3]) + Send + Sync,
) {
    #[cfg(feature = "parallel")]
    a.par_chunks_mut(len_a)
        .zip(b.par_chunks_mut(len_b))
        .zip(c.par_chunks_mut(len_c))
        .enumerate()
        .for_each(|(i, ((a, b), c))| f(i, [a, b, c]));
    #[cfg(not(feature = "parallel"))]
    a.chunks_mut(len_a)
        .zip(b.chunks_mut(len_b))
        .zip(c.chunks_mut(len_c))
        .enumerate()
        .for_each(|(i, ((a, b), c))| f(i, [a, b, c]));
}

/// f(i, chunk i of each part): four results at once, each cut into chunks of its own length.
pub fn for_each_chunk_4<T: Send>(
    [(a, len_a), (b, len_b), (c, len_c), (d, len_d)]: [(&mut [T], usize); 4],
    f: impl Fn(usize, [&mut [T]; 4]) + Send + Sync,
) {
    #[cfg(feature = "parallel")]
    a.par_chunks_mut(len_a)
        .zip(b.par_chunks_mut(len_b))
        .zip(c.par_chunks_mut(len_c))
        .zip(d.par_chunks_mut(len_d))
        .enumerate()
        .for_each(|(i, (((a, b), c), d))| f(i, [a, b, c, d]));
    #[cfg(not(feature = "parallel"))]
    a.chunks_mut(len_a)
        .zip(b.chunks_mut(len_b))
        .zip(c.chunks_mut(len_c))
        .zip(d.chunks_mut(len_d))
        .enumerate()
        .for_each(|(i, (((a, b), c), d))| f(i, [a, b, c, d]));
}
