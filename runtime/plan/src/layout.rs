//! How a tensor lies in the slots of its tiles, and packing and unpacking by it.

use core::fmt;

use crate::model::{LayoutDim, MAX_RANK, MAX_REPEATS, Repeat};

/// How a tensor lies in the slots of one or more ciphertexts ("tiles").
///
/// The value at index (i_0, i_1, …), of blocks b_d = i_d / block_d, stands in tile Σ (b_d / stack_d)·tile_stride_d at slot
/// Σ (i_d % block_d)·slot_stride_d + (b_d % stack_d)·stack_stride_d and at every slot that the repeats lead to from there.
/// All other slots are 0. Slots are numbered twice: s < N/2 is the real part of slot s, N/2 + s its imaginary part, which only a
/// stack with a stride of N/2 leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct LayoutView {
    slots: u32,
    tiles: u32,
    factor: f64,
    dims: heapless::Vec<LayoutDim, MAX_RANK>,
    repeats: heapless::Vec<Repeat, MAX_REPEATS>,
}

/// Why a tensor could not be packed or unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The shape has another number of dimensions than the layout.
    Rank {
        /// Dimensions of the layout.
        expected: usize,
        /// Dimensions of the shape.
        found: usize,
    },
    /// There are more or fewer values than the shape has.
    Values {
        /// Values of the shape.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// The slots are not N/2, or N where imaginary parts hold values too.
    Slots {
        /// How many it takes.
        expected: usize,
        /// Slots given.
        found: usize,
    },
    /// There is no such tile.
    Tile {
        /// The tile asked for.
        tile: u32,
        /// The number of tiles.
        tiles: u32,
    },
    /// The shape reaches beyond the slots or tiles of the layout.
    Extent,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LayoutError::Rank { expected, found } => {
                write!(f, "the shape has {found} dimensions, the layout has {expected}")
            }
            LayoutError::Values { expected, found } => {
                write!(f, "{found} values for a shape of {expected}")
            }
            LayoutError::Slots { expected, found } => write!(f, "{found} slots for tiles of {expected}"),
            LayoutError::Tile { tile, tiles } => write!(f, "tile {tile} of {tiles}"),
            LayoutError::Extent => f.write_str("the shape reaches beyond the layout's slots or tiles"),
        }
    }
}

impl core::error::Error for LayoutError {}

impl LayoutView {
    /// A layout; dimensions beyond the fourth and repeats beyond the eighth are not kept (a plan has no more).
    pub fn new(
        slots: u32,
        tiles: u32,
        factor: f64,
        dims: impl IntoIterator<Item = LayoutDim>,
        repeats: impl IntoIterator<Item = Repeat>,
    ) -> Self {
        let dims = dims.into_iter().take(MAX_RANK).collect();
        let repeats = repeats.into_iter().take(MAX_REPEATS).collect();
        LayoutView {
            slots,
            tiles,
            factor,
            dims,
            repeats,
        }
    }

    /// Slots of a tile: N/2.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Whether imaginary parts hold values too.
    pub fn is_complex(&self) -> bool {
        self.dims
            .iter()
            .any(|dim| dim.stack > 1 && dim.stack_stride == self.slots)
    }

    /// Real numbers that a tile holds: N/2, or N with the imaginary parts, which follow the real ones.
    pub fn numbers(&self) -> usize {
        self.slots as usize * if self.is_complex() { 2 } else { 1 }
    }

    /// Number of tiles.
    pub fn tiles(&self) -> u32 {
        self.tiles
    }

    /// Slot value = tensor value × factor.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// One per dimension of the tensor.
    pub fn dims(&self) -> &[LayoutDim] {
        &self.dims
    }

    /// Where each value also stands.
    pub fn repeats(&self) -> &[Repeat] {
        &self.repeats
    }

    /// Whether a tensor of this shape fits: every value, with its repeats, in a slot and tile that exist, and no more
    /// values in a tile than it holds numbers, nor blocks than tiles.
    pub fn fits(&self, shape: &[u32]) -> bool {
        let (mut last_slot, mut last_tile, mut per_tile, mut blocks) = (0_u64, 0_u64, 1_u64, 1_u64);
        for (&extent, dim) in shape.iter().zip(&self.dims) {
            if extent == 0 || dim.block == 0 || dim.stack == 0 {
                return false;
            }
            let block = u64::from(extent.min(dim.block));
            let stack = u64::from(extent.div_ceil(dim.block).min(dim.stack));
            let count = u64::from(extent.div_ceil(dim.block).div_ceil(dim.stack));
            last_slot = last_slot
                .saturating_add((block - 1) * u64::from(dim.slot_stride))
                .saturating_add((stack - 1) * u64::from(dim.stack_stride));
            last_tile = last_tile.saturating_add((count - 1) * u64::from(dim.tile_stride));
            per_tile = per_tile.saturating_mul(block).saturating_mul(stack);
            blocks = blocks.saturating_mul(count);
        }
        for repeat in &self.repeats {
            if repeat.count == 0 {
                return false;
            }
            last_slot = last_slot.saturating_add(u64::from(repeat.count - 1) * u64::from(repeat.stride));
            per_tile = per_tile.saturating_mul(u64::from(repeat.count));
        }
        let (numbers, tiles) = (self.numbers() as u64, u64::from(self.tiles));
        shape.len() == self.dims.len()
            && last_slot < numbers
            && per_tile <= numbers
            && last_tile < tiles
            && blocks <= tiles
    }

    /// The tile and the first slot of the value at `index` (one entry per dimension).
    pub fn place(&self, index: &[u32]) -> (u32, u32) {
        let (mut tile, mut slot) = (0_u32, 0_u32);
        for (&i, dim) in index.iter().zip(&self.dims) {
            let (block, stack) = (dim.block.max(1), dim.stack.max(1));
            tile = tile.wrapping_add((i / block / stack).wrapping_mul(dim.tile_stride));
            slot = slot
                .wrapping_add((i % block).wrapping_mul(dim.slot_stride))
                .wrapping_add((i / block % stack).wrapping_mul(dim.stack_stride));
        }
        (tile, slot)
    }

    /// Calls `visit(flat index, first slot)` for every value of a tensor of `shape` that stands in `tile`; the flat index
    /// is row-major. Repeats are not visited.
    pub fn for_each_slot(&self, shape: &[u32], tile: u32, mut visit: impl FnMut(usize, u32)) {
        walk_blocks(shape, &self.dims, tile, 0, 0, &mut visit);
    }

    /// Writes the part of a tensor that stands in `tile`, times the factor, to `out` ([`Self::numbers`]), 0 elsewhere.
    ///
    /// # Errors
    /// [`LayoutError`] when the shape, the number of values, the tile or the length of `out` is not the layout's.
    pub fn pack_tile(
        &self,
        values: &[f64],
        shape: &[u32],
        tile: u32,
        out: &mut [f64],
    ) -> Result<(), LayoutError> {
        self.check(values.len(), shape, tile, out.len())?;
        out.fill(0.0);
        self.for_each_slot(shape, tile, |flat, first| {
            let value = values.get(flat).copied().unwrap_or(0.0) * self.factor;
            for_each_repeat(&self.repeats, first, &mut |slot| {
                if let Some(out) = out.get_mut(slot as usize) {
                    *out = value;
                }
            });
        });
        Ok(())
    }

    /// Reads the part of a tensor that stands in `tile` from its slots ([`Self::numbers`]), divided by the factor; other values are
    /// kept. The first of repeated slots is read.
    ///
    /// # Errors
    /// [`LayoutError`] when the shape, the number of values, the tile or the number of slots is not the layout's.
    pub fn unpack_tile(
        &self,
        slots: &[f64],
        shape: &[u32],
        tile: u32,
        values: &mut [f64],
    ) -> Result<(), LayoutError> {
        self.check(values.len(), shape, tile, slots.len())?;
        self.for_each_slot(shape, tile, |flat, first| {
            if let (Some(value), Some(slot)) = (values.get_mut(flat), slots.get(first as usize)) {
                *value = slot / self.factor;
            }
        });
        Ok(())
    }

    fn check(&self, values: usize, shape: &[u32], tile: u32, slots: usize) -> Result<(), LayoutError> {
        if shape.len() != self.dims.len() {
            return Err(LayoutError::Rank {
                expected: self.dims.len(),
                found: shape.len(),
            });
        }
        if !self.fits(shape) {
            return Err(LayoutError::Extent);
        }
        let expected = shape
            .iter()
            .fold(1_usize, |count, &extent| count.saturating_mul(extent as usize));
        if values != expected {
            return Err(LayoutError::Values {
                expected,
                found: values,
            });
        }
        if slots != self.numbers() {
            return Err(LayoutError::Slots {
                expected: self.numbers(),
                found: slots,
            });
        }
        if tile >= self.tiles {
            return Err(LayoutError::Tile {
                tile,
                tiles: self.tiles,
            });
        }
        Ok(())
    }
}

/// Visits the blocks of one dimension and what is inside them, dimension by dimension. `tile` is what the remaining
/// dimensions' tiles must sum to.
fn walk_blocks(
    shape: &[u32],
    dims: &[LayoutDim],
    tile: u32,
    flat: usize,
    slot: u32,
    visit: &mut impl FnMut(usize, u32),
) {
    let (Some((&extent, shape)), Some((dim, dims))) = (shape.split_first(), dims.split_first()) else {
        if tile == 0 {
            visit(flat, slot);
        }
        return;
    };
    let (block, stack) = (dim.block.max(1), dim.stack.max(1));
    for index in 0..extent.div_ceil(block) {
        let Some(tile) = (index / stack)
            .checked_mul(dim.tile_stride)
            .and_then(|here| tile.checked_sub(here))
        else {
            return;
        };
        let first = index * block;
        for within in 0..block.min(extent - first) {
            let flat = flat
                .wrapping_mul(extent as usize)
                .wrapping_add((first + within) as usize);
            let slot = slot
                .wrapping_add(within.wrapping_mul(dim.slot_stride))
                .wrapping_add((index % stack).wrapping_mul(dim.stack_stride));
            walk_blocks(shape, dims, tile, flat, slot, visit);
        }
    }
}

/// Calls `visit` for every slot that the repeats lead to from `slot`, itself among them.
pub(crate) fn for_each_repeat(repeats: &[Repeat], slot: u32, visit: &mut impl FnMut(u32)) {
    let Some((repeat, rest)) = repeats.split_first() else {
        visit(slot);
        return;
    };
    for k in 0..repeat.count {
        for_each_repeat(rest, slot.wrapping_add(k.wrapping_mul(repeat.stride)), visit);
    }
}

#[cfg(feature = "encode")]
impl crate::data::Layout {
    /// The same layout as a view, which packs and unpacks.
    pub fn view(&self) -> LayoutView {
        LayoutView::new(
            self.slots,
            self.tiles,
            self.factor,
            self.dims.iter().copied(),
            self.repeats.iter().copied(),
        )
    }
}
