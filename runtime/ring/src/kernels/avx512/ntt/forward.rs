//! From coefficients to values.
//!
//! A stage widens every range by 2. Where the room would not do, numbers that are not multiplied in a stage are brought
//! to [0,2) before it.

use super::*;

/// The positions that interleave the first halves of two vectors, and the second halves.
const INTERLEAVE: [[u64; LANES]; 2] = [[0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]];

/// When numbers are corrected.
pub(super) type Corrections = u8;
pub(super) const NEVER: Corrections = 0;
/// Before the first stage of a pass.
pub(super) const ONCE: Corrections = 1;
/// Before every stage.
pub(super) const ALWAYS: Corrections = 2;

/// The range of the input: more than [0,1), as it costs nothing.
const INPUT: u64 = 2;

/// When a pass of two stages has to correct numbers in [0,range), and the range that it leaves: so that two more fit the
/// room, which the tail asks for, or 4 if there is no more.
pub(super) fn pass_corrections(room: u64, range: u64) -> (Corrections, u64) {
    if room < 8 {
        (ALWAYS, 4)
    } else if range + 6 > room {
        (ONCE, 6)
    } else {
        (NEVER, range + 4)
    }
}

/// The first stages, until blocks do not meet again.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in crate::kernels::avx512) fn forward_outer(table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let blocks = table.blocks;
    let field = &Field::new(&table.modulus);
    let room = room(&table.modulus);
    let (mut done, mut range) = (1, INPUT);
    if !blocks.trailing_zeros().is_multiple_of(2) {
        forward_first_stage(field, table, limb);
        (done, range) = (2, range_after_first(range));
    }
    let mut none = Ahead::new(&[], limb);
    while done < blocks {
        let (corrections, after) = pass_corrections(room, range);
        forward_pass::<true>(field, table, corrections, done, done, limb, &mut none);
        range = after;
        done *= 4;
    }
}

/// The range after a first stage alone.
fn range_after_first(range: u64) -> u64 {
    range + 2
}

/// The range of numbers after the first stages.
pub(super) fn range_after(room: u64, blocks: usize) -> u64 {
    let log_blocks = blocks.trailing_zeros();
    let first = if log_blocks.is_multiple_of(2) {
        INPUT
    } else {
        range_after_first(INPUT)
    };
    (0..log_blocks / 2).fold(first, |range, _| pass_corrections(room, range).1)
}

/// The stages that are left for block `index`, to [0,1).
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in crate::kernels::avx512) fn forward_block(
    table: &NttTable<'_, u64>,
    index: usize,
    block: &mut [u64],
    ahead: [&[u64]; 2],
) {
    let field = &Field::new(&table.modulus);
    let room = room(&table.modulus);
    // A block of 2^12 words has four passes of 2^7 steps and a tail of 2^8: the passes ask for the one, the tail for the
    // other.
    let mut ahead = ahead.map(|ahead| Ahead::new(ahead, block));
    let mut range = range_after(room, table.blocks);
    let (mut first, mut count) = (table.blocks + index, 1);
    while block.len() > count << LOG_TAIL {
        let (corrections, after) = pass_corrections(room, range);
        forward_pass::<false>(field, table, corrections, first, count, block, &mut ahead[0]);
        range = after;
        first *= 4;
        count *= 4;
    }
    if room < 8 {
        forward_tail::<true, true, true>(field, table, 2 * first, 2 * count, block, &mut ahead[1]);
    } else if range + 8 > room {
        // One stage to range + 2, at most the room; then from 2 to 8.
        forward_tail::<false, true, false>(field, table, 2 * first, 2 * count, block, &mut ahead[1]);
    } else {
        forward_tail::<false, false, false>(field, table, 2 * first, 2 * count, block, &mut ahead[1]);
    }
}

/// Memory that is asked for line by line between butterflies: all at once, it would keep them waiting.
struct Ahead {
    next: *const u64,
    step: usize,
}

impl Ahead {
    /// Memory as long as the block; for other lengths, and none, the block itself, over and over.
    fn new(memory: &[u64], block: &[u64]) -> Self {
        if memory.len() == block.len() {
            Self {
                next: memory.as_ptr(),
                step: LANES,
            }
        } else {
            Self {
                next: block.as_ptr(),
                step: 0,
            }
        }
    }

    /// Asks for one line more, into the second-level cache.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn ask(&mut self) {
        _mm_prefetch::<_MM_HINT_T1>(self.next.cast());
        self.next = self.next.wrapping_add(self.step);
    }
}

/// The first stage alone.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_first_stage(field: &Field, table: &NttTable<'_, u64>, limb: &mut [u64]) {
    let [low, high] = halves(limb);
    for w in twiddles(table, 1, 1) {
        let w = all_lanes(w);
        for (x, y) in low.iter_mut().zip(&mut *high) {
            prefetch_line(x);
            prefetch_line(y);
            let (sum, difference) = field.forward_stage::<false>((load(x), load(y)), w);
            store(x, sum);
            store(y, difference);
        }
    }
}

/// Two stages on `data`, which is `count` blocks of the transform whose first is number `first`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_pass<const OUTER: bool>(
    field: &Field,
    table: &NttTable<'_, u64>,
    corrections: Corrections,
    first: usize,
    count: usize,
    data: &mut [u64],
    ahead: &mut Ahead,
) {
    match corrections {
        ALWAYS => forward_pass_with::<ALWAYS, OUTER>(field, table, first, count, data, ahead),
        ONCE => forward_pass_with::<ONCE, OUTER>(field, table, first, count, data, ahead),
        _ => forward_pass_with::<NEVER, OUTER>(field, table, first, count, data, ahead),
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_pass_with<const CORRECTIONS: Corrections, const OUTER: bool>(
    field: &Field,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
    ahead: &mut Ahead,
) {
    let upper = twiddles(table, first, count);
    let lower = twiddle_groups::<2>(table, 2 * first, 2 * count);
    for ((block, w), (v, quotients)) in data.chunks_exact_mut(data.len() / count).zip(upper).zip(lower) {
        let twiddles = [w, (v[0], quotients[0]), (v[1], quotients[1])].map(|w| all_lanes(w));
        let [a, b, c, d] = quarters(block);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            if OUTER {
                for x in [&*a, b, c, d] {
                    prefetch_line(x);
                }
            } else {
                ahead.ask();
            }
            let x = [load(a), load(b), load(c), load(d)];
            let [y0, y1, y2, y3] = forward_two_stages::<CORRECTIONS>(field, x, twiddles);
            store(a, y0);
            store(b, y1);
            store(c, y2);
            store(d, y3);
        }
    }
}

/// Two stages on four vectors: from [0,B) to [0,B+4), from any range to [0,6) with one correction, or to [0,4).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn forward_two_stages<const CORRECTIONS: Corrections>(
    field: &Field,
    [a, b, c, d]: [__m512i; 4],
    [w, v0, v1]: [Twiddle; 3],
) -> [__m512i; 4] {
    let ((x0, x2), (x1, x3)) = if CORRECTIONS == NEVER {
        (
            field.forward_stage::<false>((a, c), w),
            field.forward_stage::<false>((b, d), w),
        )
    } else {
        (
            field.forward_stage::<true>((a, c), w),
            field.forward_stage::<true>((b, d), w),
        )
    };
    let ((y0, y1), (y2, y3)) = if CORRECTIONS == ALWAYS {
        (
            field.forward_stage::<true>((x0, x1), v0),
            field.forward_stage::<true>((x2, x3), v1),
        )
    } else {
        (
            field.forward_stage::<false>((x0, x1), v0),
            field.forward_stage::<false>((x2, x3), v1),
        )
    };
    [y0, y1, y2, y3]
}

/// The last four stages, to [0,1): stride 8, then strides 4, 2 and 1 of `count` blocks of eight whose first is number
/// `first`. The constants tell what is corrected before the first stage, the second, and the others.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_tail<const FIRST: bool, const SECOND: bool, const REST: bool>(
    field: &Field,
    table: &NttTable<'_, u64>,
    first: usize,
    count: usize,
    data: &mut [u64],
    ahead: &mut Ahead,
) {
    let [low, high] = INTERLEAVE.map(|positions| load(&positions));
    let shuffle = |(x, y)| {
        (
            _mm512_permutex2var_epi64(x, low, y),
            _mm512_permutex2var_epi64(x, high, y),
        )
    };
    let eight = twiddles(table, first / 2, count / 2);
    let four = twiddle_groups::<2>(table, first, count);
    let two = twiddle_groups::<4>(table, 2 * first, 2 * count);
    let one = twiddle_groups::<8>(table, 4 * first, 4 * count);
    let (data, _) = data.as_chunks_mut::<LANES>();
    let (pairs, _) = data.as_chunks_mut::<2>();
    for ((([x, y], eight), four), (two, one)) in pairs.iter_mut().zip(eight).zip(four).zip(two.zip(one)) {
        // The next block's twiddles come right behind.
        let words = count.cast_signed();
        for line in [one.0, one.1] {
            ask_for(line, 4 * words);
        }
        for line in [two.0, two.1] {
            ask_for(line, 2 * words);
        }
        ahead.ask();
        ahead.ask();
        let xy = field.forward_stage::<FIRST>((load(x), load(y)), all_lanes(eight));
        let xy = field.forward_stage::<SECOND>(shuffle(xy), (repeat_2(four.0), repeat_2(four.1)));
        let xy = field.forward_stage::<REST>(shuffle(xy), (repeat_4(two.0), repeat_4(two.1)));
        let xy = field.forward_stage::<REST>(shuffle(xy), (load(one.0), load(one.1)));
        let (x_out, y_out) = shuffle((field.residue(xy.0), field.residue(xy.1)));
        store(x, x_out);
        store(y, y_out);
    }
}
