use cipherloom_ring::parallel::{
    for_each_chunk_4, for_each_limb, for_each_limb_2, for_each_limb_3, for_each_limb_4, for_each_limb_pair,
    for_each_limb_pair_2, for_each_limb_triple,
};

#[test]
fn every_limb_is_visited_with_its_partners() {
    let a: Vec<u64> = (0..22).collect();
    let b: Vec<u32> = (100..122).collect();
    let c: Vec<u8> = (0..22).map(|x| 2 * x).collect();
    // Limbs of four, the last of two: limb i starts at 4i.
    let mut dst = vec![0; 22];
    for_each_limb(&mut dst, 4, |i, dst| dst.fill(i as u64));
    assert!(dst.iter().enumerate().all(|(j, &x)| x == j as u64 / 4));
    for_each_limb_2(&mut dst, &a, 4, |i, dst, a| {
        assert_eq!(a[0], 4 * i as u64);
        dst.copy_from_slice(a);
    });
    assert_eq!(dst, a);
    for_each_limb_3(&mut dst, &a, &b, 4, |_, dst, a, b| {
        dst[0] = a[0] + u64::from(b[0])
    });
    assert!(
        dst.iter()
            .step_by(4)
            .zip((100..).step_by(8))
            .all(|(&x, expected)| x == expected)
    );
    for_each_limb_4(&mut dst, &a, &b, &c, 4, |_, dst, a, b, c| {
        assert_eq!((dst.len(), a.len(), b.len()), (c.len(), c.len(), c.len()));
        dst[0] = a[0] + u64::from(b[0]) - u64::from(c[0]);
    });
    assert!(dst.iter().step_by(4).all(|&x| x == 100));
    let mut other = vec![0; 22];
    for_each_limb_pair(&mut dst, &mut other, 4, |i, dst, other| {
        dst.fill(i as u64);
        other.fill(i);
    });
    assert!(dst.iter().zip(&other).all(|(&x, &y)| x == y as u64));
    let (mut second, mut third) = (vec![0; 22], vec![0; 22]);
    for_each_limb_triple(&mut dst, &mut second, &mut third, 4, |i, dst, second, third| {
        dst.fill(i as u64);
        second.fill(2 * i as u64);
        third.fill(3 * i as u64);
    });
    assert!((0..22).all(|j| (second[j], third[j]) == (2 * dst[j], 3 * dst[j])));
    // Five chunks of each, the shortest number there is.
    let mut fourth = vec![0; 5];
    let parts = [
        (&mut dst[..], 4),
        (&mut second[..], 4),
        (&mut third[..], 3),
        (&mut fourth[..], 1),
    ];
    for_each_chunk_4(parts, |i, [a, b, c, d]| {
        (a[0], b[0], c[0], d[0]) = (1, 2, i as u64, (a.len() + b.len() + c.len()) as u64);
    });
    assert_eq!((dst[16], second[16], third[12], third[15]), (1, 2, 4, 9));
    assert_eq!(fourth, [11, 11, 11, 11, 11]);
    for_each_limb_pair_2(&mut dst, &mut other, &a, 4, |i, dst, other, a| {
        dst.copy_from_slice(a);
        other.fill(10 * i);
    });
    assert_eq!(dst, a);
    assert!(other.iter().enumerate().all(|(j, &x)| x == j / 4 * 10));
}

#[cfg(feature = "parallel")]
#[test]
fn thread_count_does_not_change_results() {
    use crate::{largest_primes, residues, ring, rng};
    use cipherloom_ring::basis;

    let ring = ring::<u64>(11, &largest_primes(11, 50, 12));
    let n = ring.degree();
    let mut rng = rng(9);
    let source: Vec<u64> = (0..12)
        .flat_map(|i| residues(ring.modulus(i), n, &mut rng))
        .collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("thread pool");
        pool.install(|| {
            let (kept, dropped) = source.split_at(8 * n);
            let mut dst = vec![0; 8 * n];
            basis::divide_round(
                &ring,
                8,
                8..12,
                &mut dst,
                kept,
                &mut dropped.to_vec(),
                &mut vec![0; n],
            );
            dst
        })
    };
    assert_eq!(run(1), run(3));
}
