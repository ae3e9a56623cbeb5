//! Arithmetic of shapes.

/// Most dimensions of a tensor.
pub(super) const MOST_DIMENSIONS: usize = 4;

/// Most elements of a tensor: 2^26, half a gigabyte of `f64`.
pub(super) const MOST_ELEMENTS: u64 = 1 << 26;

/// `[128, 384]`.
pub(super) fn show(shape: &[u32]) -> String {
    let extents: Vec<String> = shape.iter().map(u32::to_string).collect();
    format!("[{}]", extents.join(", "))
}

/// Number of elements; beyond `u64` counts as the largest `u64`.
pub(super) fn elements(shape: &[u32]) -> u64 {
    shape.iter().fold(1, |product: u64, &extent| {
        product.saturating_mul(u64::from(extent))
    })
}

/// The shape that both broadcast to: aligned at the last dimension, extents are equal or one of them is 1.
pub(super) fn broadcast(a: &[u32], b: &[u32]) -> Option<Vec<u32>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[u32], position: usize| {
        (position + shape.len())
            .checked_sub(rank)
            .map_or(1, |index| shape[index])
    };
    (0..rank)
        .map(|position| match (extent(a, position), extent(b, position)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// The shape of `a @ b`, or why there is none.
pub(super) fn matmul(a: &[u32], b: &[u32]) -> Result<Vec<u32>, String> {
    for shape in [a, b] {
        if shape.is_empty() || shape.len() > 2 {
            return Err(format!("`@` takes vectors and matrices, not {}", kind(shape)));
        }
    }
    let (inner_a, inner_b) = (a[a.len() - 1], b[0]);
    if inner_a != inner_b {
        return Err(format!("the inner extents {inner_a} and {inner_b} differ"));
    }
    Ok(a[..a.len() - 1].iter().chain(&b[1..]).copied().collect())
}

/// "a scalar", "a vector" …
pub(super) fn kind(shape: &[u32]) -> String {
    match shape.len() {
        0 => "a scalar".to_owned(),
        1 => "a vector".to_owned(),
        2 => "a matrix".to_owned(),
        rank => format!("a tensor of {rank} dimensions"),
    }
}

#[cfg(test)]
mod tests {
    use super::{broadcast, matmul};

    #[test]
    fn broadcasts_like_numpy() {
        assert_eq!(broadcast(&[128, 10], &[10]), Some(vec![128, 10]));
        assert_eq!(broadcast(&[128, 1], &[10]), Some(vec![128, 10]));
        assert_eq!(broadcast(&[], &[3, 4]), Some(vec![3, 4]));
        assert_eq!(broadcast(&[128, 10], &[128]), None);
    }

    #[test]
    fn products_contract_inner_extents() {
        assert_eq!(matmul(&[2, 3], &[3, 4]), Ok(vec![2, 4]));
        assert_eq!(matmul(&[2, 3], &[3]), Ok(vec![2]));
        assert_eq!(matmul(&[3], &[3, 4]), Ok(vec![4]));
        assert_eq!(matmul(&[3], &[3]), Ok(vec![]));
        assert!(matmul(&[2, 3], &[2, 3]).is_err());
        assert!(matmul(&[], &[3]).is_err());
    }
}
