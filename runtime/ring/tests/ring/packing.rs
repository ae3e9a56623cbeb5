use cipherloom_ring::pack::{
    bytes_to_words, pack, pack_words, packed_bytes, packed_words, unpack, unpack_words, words_to_bytes,
};
use cipherloom_ring::{Modulus, RingError, Word};
use proptest::prelude::*;

use crate::{residues, rng};

fn check_round_trip<W: Word>(q: u64, n: usize, seed: u64) {
    let m = Modulus::<W>::new(q).unwrap();
    let mut limb = residues(&m, n, &mut rng(seed));
    limb[0] = m.value() - W::ONE;
    let mut bytes = vec![0xaa; packed_bytes(n, m.bits())];
    pack(&limb, m.bits(), &mut bytes);
    // Value j occupies the bits from j·bits on, least significant first.
    for (j, value) in limb.iter().enumerate() {
        for bit in 0..m.bits() as usize {
            let at = j * m.bits() as usize + bit;
            assert_eq!(
                u64::from(bytes[at / 8] >> (at % 8) & 1),
                value.to_u64() >> bit & 1
            );
        }
    }
    // The same bits in words.
    let mut words = vec![W::ONE; packed_words::<W>(n, m.bits())];
    pack_words(&limb, m.bits(), &mut words);
    let mut found = vec![0xaa; bytes.len()];
    words_to_bytes(&words, &mut found);
    assert_eq!(found, bytes);
    let mut found = vec![W::ONE; words.len()];
    bytes_to_words(&bytes, &mut found);
    assert_eq!(found, words);
    for first in [0, 1, n / 2, n - 1] {
        let mut back = vec![W::ONE; n - first];
        unpack_words(&words, m.bits(), first, &mut back);
        assert_eq!(back, limb[first..]);
    }
    let mut back = vec![W::ZERO; n];
    unpack(&bytes, m.bits(), &m, &mut back).unwrap();
    assert_eq!(back, limb);
    let short = &bytes[..bytes.len() - 1];
    let error = RingError::Memory {
        needed: bytes.len(),
        given: short.len(),
    };
    assert_eq!(unpack(short, m.bits(), &m, &mut back), Err(error));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn round_trip(n in 1usize..80, bits in 2u32..=61, seed: u64) {
        check_round_trip::<u64>((1 << bits) - 1, n, seed);
        check_round_trip::<u64>((1 << (bits - 1)) + 1, n, seed);
        let narrow = bits.min(30);
        check_round_trip::<u32>((1 << narrow) - 1, n, seed);
    }

    #[test]
    fn any_bytes_unpack_to_themselves_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let m = Modulus::<u32>::new((1 << 13) - 1).unwrap();
        let mut limb = [0; 20];
        if unpack(&bytes, m.bits(), &m, &mut limb).is_ok() {
            let mut again = vec![0; packed_bytes(20, m.bits())];
            pack(&limb, m.bits(), &mut again);
            prop_assert_eq!(&again[..], &bytes[..again.len()]);
        }
    }
}

#[test]
fn sizes() {
    assert_eq!(packed_bytes(1 << 16, 49), (1 << 16) * 49 / 8);
    assert_eq!(packed_bytes(3, 30), 12);
    assert_eq!(packed_bytes(0, 30), 0);
    assert_eq!(packed_words::<u64>(1 << 16, 49), (1 << 16) / 64 * 49);
    assert_eq!(packed_words::<u32>(3, 30), 3);
    assert_eq!(packed_words::<u64>(3, 30), 2);
}

#[test]
fn values_from_q_on_and_set_padding_are_refused() {
    let m = Modulus::<u64>::new((1 << 30) - 35).unwrap();
    let mut bytes = [0; 12];
    pack(&[1, m.value(), 2], m.bits(), &mut bytes);
    assert_eq!(
        unpack(&bytes, m.bits(), &m, &mut [0; 3]),
        Err(RingError::Residue { index: 1 })
    );
    pack(&[1, m.value() - 1, 2], m.bits(), &mut bytes);
    assert_eq!(unpack(&bytes, m.bits(), &m, &mut [0; 3]), Ok(()));
    // One that is read with its neighbours, and one at the end.
    for index in [1, 38] {
        let mut limb = [7; 40];
        limb[index] = m.value();
        let mut bytes = [0; packed_bytes(40, 30)];
        pack(&limb, m.bits(), &mut bytes);
        let refused = unpack(&bytes, m.bits(), &m, &mut [0; 40]);
        assert_eq!(refused, Err(RingError::Residue { index }));
    }
    bytes[11] |= 0x80;
    assert_eq!(unpack(&bytes, m.bits(), &m, &mut [0; 3]), Err(RingError::Padding));
}
