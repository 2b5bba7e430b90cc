//! Where a median is, with 95 %: between two of the sorted figures, whatever their distribution.

/// The ranks of those two, from 0; `None` for fewer than six figures, of which no two say so much.
pub(crate) fn ranks(n: usize) -> Option<(usize, usize)> {
    let n_i32 = i32::try_from(n).ok().filter(|n| 6 <= *n)?;
    // How many of n figures lie below the median is binomial.
    let mut term = 0.5_f64.powi(n_i32);
    let (mut below, mut rank) = (term, 0);
    while below <= TAIL {
        rank += 1;
        term *= (n_i32 - rank + 1) as f64 / rank as f64;
        below += term;
    }
    let low = usize::try_from(rank - 1).ok()?;
    Some((low, n - 1 - low))
}

/// Below, and above.
const TAIL: f64 = 0.025;

#[cfg(test)]
mod tests {
    use super::*;

    /// From a table of the sign test.
    #[test]
    fn ranks_are_those_of_the_sign_test() {
        assert_eq!(ranks(5), None);
        assert_eq!(ranks(6), Some((0, 5)));
        assert_eq!(ranks(9), Some((1, 7)));
        assert_eq!(ranks(15), Some((3, 11)));
        assert_eq!(ranks(20), Some((5, 14)));
    }
}
