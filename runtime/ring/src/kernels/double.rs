//! Kernels in double precision with fused multiply-adds, four words at a time, for moduli below 2^50: for processors
//! that multiply doubles faster than 64-bit integers.
//!
//! Every number is an integer below 2^53 in size, or a product of two with what its rounding left out, so that
//! nothing is ever lost: a·b = h + l with h = a·b rounded and l = fma(a, b, −h); then with b ≈ h/q an integer,
//! h − b·q is exact and so is (h − b·q) + l. Residues in between are signed. Bounds are given in units of q; as
//! q < 2^50, 8 units are below 2^53.
//!
//! The functions are generic over [`Quad`], and always inlined into entries that have the processor's features.

pub(super) mod basis;
pub(super) mod ntt;
pub(super) mod pointwise;

use crate::Modulus;

/// Words in a vector.
pub(super) const LANES: usize = 4;
/// Moduli are below 2^MAX_BITS.
pub(super) const MAX_BITS: u32 = 50;

/// Four doubles. The functions may be called only where the processor has the instructions of the implementation.
pub(super) trait Quad: Copy {
    /// The same number in all lanes.
    fn splat(x: f64) -> Self;
    /// The bits of four doubles.
    fn load(x: &[u64; LANES]) -> Self;
    /// The inverse of [`Quad::load`].
    fn store(self, to: &mut [u64; LANES]);
    /// Four integers below 2^52, as doubles.
    fn load_integers(x: &[u64; LANES]) -> Self;
    /// The inverse of [`Quad::load_integers`].
    fn store_integers(self, to: &mut [u64; LANES]);
    fn add(self, rhs: Self) -> Self;
    fn sub(self, rhs: Self) -> Self;
    fn mul(self, rhs: Self) -> Self;
    /// a·b + self, rounded once.
    fn add_product(self, a: Self, b: Self) -> Self;
    /// a·b − self, rounded once.
    fn product_less(self, a: Self, b: Self) -> Self;
    /// self − a·b, rounded once.
    fn sub_product(self, a: Self, b: Self) -> Self;
    /// The nearest integers.
    fn round(self) -> Self;
    /// self + bound where self is negative.
    fn add_if_negative(self, bound: Self) -> Self;
    /// Lane j of vector i to lane i of vector j.
    fn transpose(x: [Self; 4]) -> [Self; 4];
    /// The even and the odd lanes of two vectors one after the other.
    fn separate(x: Self, y: Self) -> [Self; 2];
}

/// One modulus in all lanes.
#[derive(Clone, Copy)]
pub(super) struct Field<V> {
    q: V,
    /// 1/q, rounded.
    inverse: V,
}

/// A residue w in [−q/2, q/2] and w/q, rounded.
pub(super) type Factor<V> = (V, V);

impl<V: Quad> Field<V> {
    #[inline(always)]
    pub(super) fn new(m: &Modulus<u64>) -> Self {
        let q = m.value() as f64;
        Self {
            q: V::splat(q),
            inverse: V::splat(1.0 / q),
        }
    }

    /// x mod q in [−½,½] and a little more, for |x| < 8 units: the quotient is off by less than 2^−49.
    #[inline(always)]
    fn reduce(&self, x: V) -> V {
        x.sub_product(x.mul(self.inverse).round(), self.q)
    }

    /// x mod q in [0,q), for |x| < 8 units.
    #[inline(always)]
    fn residue(&self, x: V) -> V {
        self.reduce(x).add_if_negative(self.q)
    }

    /// a·b in (−1,1) units, for a and b in [0,q).
    ///
    /// The quotient's three roundings add up to 3·2^−53·q < 3/8.
    #[inline(always)]
    fn product(&self, a: V, b: V) -> V {
        let high = a.mul(b);
        let quotient = high.mul(self.inverse).round();
        let low = high.product_less(a, b);
        high.sub_product(quotient, self.q).add(low)
    }

    /// x·w, at most ½ + |x|/8 in units, for |x| < 8 units.
    ///
    /// The quotient x·(w/q) is below 2^52 in size and has two roundings of relative size 2^−53: |x|·2^−53 at most.
    #[inline(always)]
    fn multiply(&self, x: V, (w, w_quotient): Factor<V>) -> V {
        let high = x.mul(w);
        let quotient = x.mul(w_quotient).round();
        let low = high.product_less(x, w);
        high.sub_product(quotient, self.q).add(low)
    }
}

/// w in [−q/2, q/2] and w/q of w in [0,q).
fn factor(m: &Modulus<u64>, w: u64) -> (f64, f64) {
    let q = m.value();
    // Exact: both are below 2^50.
    let w = if w > q / 2 { w as f64 - q as f64 } else { w as f64 };
    (w, w / q as f64)
}

/// [`factor`] in all lanes.
#[inline(always)]
fn splat_factor<V: Quad>(m: &Modulus<u64>, w: u64) -> Factor<V> {
    let (w, quotient) = factor(m, w);
    (V::splat(w), V::splat(quotient))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prime::primes_below;

    /// Four doubles on any processor.
    #[derive(Clone, Copy)]
    struct Doubles([f64; LANES]);

    fn map2(x: Doubles, y: Doubles, f: impl Fn(f64, f64) -> f64) -> Doubles {
        Doubles(core::array::from_fn(|lane| f(x.0[lane], y.0[lane])))
    }

    impl Quad for Doubles {
        fn splat(x: f64) -> Self {
            Self([x; LANES])
        }
        fn load(x: &[u64; LANES]) -> Self {
            Self(x.map(f64::from_bits))
        }
        fn store(self, to: &mut [u64; LANES]) {
            *to = self.0.map(f64::to_bits);
        }
        fn load_integers(x: &[u64; LANES]) -> Self {
            Self(x.map(|x| x as f64))
        }
        fn store_integers(self, to: &mut [u64; LANES]) {
            *to = self.0.map(|x| x as u64);
        }
        fn add(self, rhs: Self) -> Self {
            map2(self, rhs, |x, y| x + y)
        }
        fn sub(self, rhs: Self) -> Self {
            map2(self, rhs, |x, y| x - y)
        }
        fn mul(self, rhs: Self) -> Self {
            map2(self, rhs, |x, y| x * y)
        }
        fn add_product(self, a: Self, b: Self) -> Self {
            Self(core::array::from_fn(|lane| {
                a.0[lane].mul_add(b.0[lane], self.0[lane])
            }))
        }
        fn product_less(self, a: Self, b: Self) -> Self {
            map2(Self::splat(0.0), self, |zero, x| zero - x).add_product(a, b)
        }
        fn sub_product(self, a: Self, b: Self) -> Self {
            self.add_product(map2(Self::splat(0.0), a, |zero, a| zero - a), b)
        }
        fn round(self) -> Self {
            Self(self.0.map(f64::round_ties_even))
        }
        fn add_if_negative(self, bound: Self) -> Self {
            map2(self, bound, |x, bound| if x < 0.0 { x + bound } else { x })
        }
        fn transpose(x: [Self; 4]) -> [Self; 4] {
            core::array::from_fn(|i| Self(core::array::from_fn(|j| x[j].0[i])))
        }
        fn separate(x: Self, y: Self) -> [Self; 2] {
            let [x, y] = [x.0, y.0];
            [Self([x[0], x[2], y[0], y[2]]), Self([x[1], x[3], y[1], y[3]])]
        }
    }

    /// Integers at the ends of (−8q, 8q), around the multiples of q and of q/2.
    fn edges(q: u64) -> impl Iterator<Item = i64> {
        let q = q as i64;
        (-16..=16)
            .flat_map(move |halves| (-1..=1).map(move |by| halves * q / 2 + by))
            .filter(move |x| x.abs() < 8 * q)
    }

    /// The result in the first lane, exact, with its size in units.
    fn exact(x: Doubles, q: u64) -> (i64, f64) {
        assert_eq!(x.0[0].fract(), 0.0);
        (x.0[0] as i64, x.0[0].abs() / q as f64)
    }

    #[test]
    fn products_and_rests_keep_their_intervals() {
        for q in [
            17,
            257,
            primes_below(1 << 49, 3).next().unwrap(),
            primes_below(1 << 50, 3).next().unwrap(),
        ] {
            let m = Modulus::new(q).unwrap();
            let field = Field::<Doubles>::new(&m);
            let modulo = |x: i128| x.rem_euclid(i128::from(q)) as i64;
            for x in edges(q) {
                let value = Doubles::splat(x as f64);
                let (rest, units) = exact(field.reduce(value), q);
                assert!(units < 0.51 + 1.0 / q as f64, "{x}: {units}");
                assert_eq!(modulo(rest.into()), modulo(x.into()));
                assert_eq!(exact(field.residue(value), q).0, modulo(x.into()));
                for w in [0, 1, q / 2, q / 2 + 1, q - 1] {
                    let (found, units) = exact(field.multiply(value, splat_factor(&m, w)), q);
                    assert!(
                        units <= 0.5 + (x as f64 / q as f64).abs() / 8.0 + 1e-9,
                        "{x}·{w}: {units}"
                    );
                    assert_eq!(modulo(found.into()), modulo(i128::from(x) * i128::from(w)));
                    if (0..q as i64).contains(&x) {
                        let (found, units) = exact(field.product(value, Doubles::splat(w as f64)), q);
                        assert!(units < 0.876);
                        assert_eq!(modulo(found.into()), modulo(i128::from(x) * i128::from(w)));
                    }
                }
            }
        }
    }
}
