//! Packing and unpacking by a layout, against the definition.

use cipherloom_plan::{LayoutDim, LayoutError, LayoutView, Repeat};
use proptest::prelude::*;

fn dim(block: u32, slot_stride: u32, tile_stride: u32) -> LayoutDim {
    LayoutDim::blocks(block, slot_stride, tile_stride)
}

#[test]
fn a_matrix_in_two_by_three_tiles() {
    // 4 × 5 in tiles of 2 × 2 on 16 slots: rows 4 slots apart, every value twice.
    let layout = LayoutView::new(
        16,
        6,
        0.5,
        [dim(2, 4, 3), dim(2, 1, 1)],
        [Repeat { count: 2, stride: 8 }],
    );
    let values: Vec<f64> = (0..20).map(f64::from).collect();
    assert_eq!(layout.place(&[3, 4]), (5, 4));
    let mut slots = [f64::NAN; 16];
    layout.pack_tile(&values, &[4, 5], 4, &mut slots).unwrap();
    let half = [6.0, 6.5, 0.0, 0.0, 8.5, 9.0, 0.0, 0.0];
    assert_eq!(slots[..8], half);
    assert_eq!(slots[8..], half);
    // The last column of tiles is half empty.
    layout.pack_tile(&values, &[4, 5], 5, &mut slots).unwrap();
    assert_eq!(slots[..8], [7.0, 0.0, 0.0, 0.0, 9.5, 0.0, 0.0, 0.0]);
}

/// Blocks of 2 of the rows of a 5 × 2 matrix, two to a tile: the second is the imaginary part.
fn pairs(stack: u32, stack_stride: u32) -> LayoutView {
    let rows = LayoutDim {
        block: 2,
        slot_stride: 2,
        stack,
        stack_stride,
        tile_stride: 1,
    };
    LayoutView::new(8, 2, 1.0, [rows, dim(2, 1, 0)], [Repeat { count: 2, stride: 4 }])
}

#[test]
fn two_blocks_as_real_and_imaginary_part() {
    let layout = pairs(2, 8);
    assert!(layout.is_complex() && layout.fits(&[5, 2]));
    assert_eq!(layout.numbers(), 16);
    let values: Vec<f64> = (1..=10).map(f64::from).collect();
    let (mut tile, mut back) = ([f64::NAN; 16], [0.0; 10]);
    layout.pack_tile(&values, &[5, 2], 0, &mut tile).unwrap();
    let (re, im) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
    assert_eq!(tile, [re, re, im, im].concat()[..]);
    layout.unpack_tile(&tile, &[5, 2], 0, &mut back).unwrap();
    // The last block has no other beside it.
    layout.pack_tile(&values, &[5, 2], 1, &mut tile).unwrap();
    let (re, zero) = ([9.0, 10.0, 0.0, 0.0], [0.0; 4]);
    assert_eq!(tile, [re, re, zero, zero].concat()[..]);
    layout.unpack_tile(&tile, &[5, 2], 1, &mut back).unwrap();
    assert_eq!(back[..], values);
}

#[test]
fn imaginary_parts_are_two_blocks_one_vector_apart() {
    // Real slots alone are not enough for a tile.
    let few = LayoutError::Slots {
        expected: 16,
        found: 8,
    };
    assert_eq!(
        pairs(2, 8).pack_tile(&[0.0; 10], &[5, 2], 0, &mut [0.0; 8]),
        Err(few)
    );
    // A third part, and strides that lead beside the imaginary parts.
    for (stack, stride) in [(3, 8), (2, 4), (2, 7), (2, 9), (2, 16)] {
        assert!(
            !pairs(stack, stride).fits(&[5, 2]),
            "{stack} blocks, {stride} apart"
        );
    }
    assert!(!pairs(2, 7).is_complex() && !pairs(1, 8).is_complex());
}

#[test]
fn a_scalar_on_every_slot() {
    let layout = LayoutView::new(8, 1, 1.0, [], [Repeat { count: 8, stride: 1 }]);
    let mut slots = [0.0; 8];
    layout.pack_tile(&[2.5], &[], 0, &mut slots).unwrap();
    assert_eq!(slots, [2.5; 8]);
    let mut value = [0.0];
    layout.unpack_tile(&slots, &[], 0, &mut value).unwrap();
    assert_eq!(value, [2.5]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let layout = LayoutView::new(8, 2, 1.0, [dim(4, 2, 1)], []);
    let mut slots = [0.0; 8];
    let pack = |values: &[f64], shape: &[u32], tile: u32, slots: &mut [f64]| {
        layout.pack_tile(values, shape, tile, slots)
    };
    assert_eq!(pack(&[0.0; 8], &[8], 1, &mut slots), Ok(()));
    assert_eq!(
        pack(&[0.0; 8], &[8], 2, &mut slots),
        Err(LayoutError::Tile { tile: 2, tiles: 2 })
    );
    assert_eq!(pack(&[0.0; 9], &[9], 0, &mut slots), Err(LayoutError::Extent));
    assert_eq!(
        pack(&[0.0; 7], &[8], 0, &mut slots),
        Err(LayoutError::Values {
            expected: 8,
            found: 7
        })
    );
    assert_eq!(
        pack(&[0.0; 8], &[2, 4], 0, &mut slots),
        Err(LayoutError::Rank {
            expected: 1,
            found: 2
        })
    );
    let short = &mut slots[..4];
    assert_eq!(
        pack(&[0.0; 8], &[8], 0, short),
        Err(LayoutError::Slots {
            expected: 8,
            found: 4
        })
    );
}

prop_compose! {
    /// A shape, and a layout of it that gives every value a place of its own: blocks are mixed-radix digits of the slot.
    fn placed()(
        shape in prop::collection::vec(1..7_u32, 0..=4),
        blocks in prop::array::uniform4(1..4_u32),
        gaps in prop::array::uniform4(0..2_u32),
        copies in 1..3_u32,
    ) -> (Vec<u32>, LayoutView) {
        let (mut slot_stride, mut tile_stride) = (1, 1);
        let mut dims = Vec::new();
        for ((&extent, block), gap) in shape.iter().zip(blocks).zip(gaps).rev() {
            let block = block.min(extent);
            dims.insert(0, dim(block, slot_stride, tile_stride));
            slot_stride *= block + gap;
            tile_stride *= extent.div_ceil(block);
        }
        let slots = (slot_stride * copies).next_power_of_two();
        (shape, LayoutView::new(slots, tile_stride, 4.0, dims, [Repeat { count: copies, stride: slot_stride }]))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn packing_is_the_definition_and_unpacking_its_inverse((shape, layout) in placed()) {
        let count = shape.iter().product::<u32>() as usize;
        let values: Vec<f64> = (1..=count).map(|v| v as f64).collect();
        let mut expected = vec![vec![0.0; layout.slots() as usize]; layout.tiles() as usize];
        for (flat, &value) in values.iter().enumerate() {
            let (mut rest, mut index) = (flat as u32, vec![0; shape.len()]);
            for (i, &extent) in index.iter_mut().zip(&shape).rev() {
                *i = rest % extent;
                rest /= extent;
            }
            let (tile, slot) = layout.place(&index);
            for k in 0..layout.repeats()[0].count {
                expected[tile as usize][(slot + k * layout.repeats()[0].stride) as usize] = 4.0 * value;
            }
        }
        let mut back = vec![0.0; count];
        for tile in 0..layout.tiles() {
            let mut slots = vec![f64::NAN; layout.slots() as usize];
            layout.pack_tile(&values, &shape, tile, &mut slots).unwrap();
            prop_assert_eq!(&slots, &expected[tile as usize]);
            layout.unpack_tile(&slots, &shape, tile, &mut back).unwrap();
        }
        prop_assert_eq!(back, values);
    }
}
